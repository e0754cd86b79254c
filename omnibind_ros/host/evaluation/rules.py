"""Rules of fusion that learn nothing: what adaptive fusion has to beat, on the same embeddings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.bundle.temperature_scaling import softmax
from omnibind_ros.host.evaluation.episodes import Episodes

Rule = Callable[[Episodes], NDArray[np.floating]]
"""Sets of sensors -> scores [B, K] of the classes, largest wins."""

SHARPNESS = 14.0
"""Of a single sensor's softmax, where a rule needs one."""


def static_rules(centres: NDArray[np.float32]) -> dict[str, Rule]:
    """All of them, by name.

    Args:
        centres: float32 [K, D], unit norm.
    """

    def cosines(episodes: Episodes) -> NDArray[np.float64]:
        return np.asarray(episodes.embeddings @ centres.T, np.float64)

    def mean(episodes: Episodes) -> NDArray[np.float64]:
        summed: NDArray[np.float64] = (cosines(episodes) * episodes.mask[..., None]).sum(axis=1)
        return summed

    def mean_of_probabilities(episodes: Episodes) -> NDArray[np.float64]:
        beliefs = softmax(SHARPNESS * cosines(episodes))
        summed: NDArray[np.float64] = (beliefs * episodes.mask[..., None]).sum(axis=1)
        return summed

    def product_of_experts(episodes: Episodes) -> NDArray[np.float64]:
        log_beliefs = np.log(softmax(SHARPNESS * cosines(episodes)))
        return softmax((log_beliefs * episodes.mask[..., None]).sum(axis=1))

    def most_confident(episodes: Episodes) -> NDArray[np.float64]:
        beliefs = softmax(SHARPNESS * cosines(episodes))
        surest = (beliefs.max(axis=2) * episodes.mask).argmax(axis=1)
        chosen: NDArray[np.float64] = beliefs[np.arange(len(beliefs)), surest]
        return chosen

    return {
        "mean of embeddings": mean,
        "mean of probabilities": mean_of_probabilities,
        "product of experts": product_of_experts,
        "most confident sensor": most_confident,
    }


def best_single(centres: NDArray[np.float32], accuracy: dict[int, float]) -> Rule:
    """The sensor of the modality that is right most often alone; live ones only.

    Args:
        accuracy: by modality id, on clean recordings.
    """
    worth = np.array([accuracy.get(m, 0.0) for m in range(max(accuracy) + 1)])

    def rule(episodes: Episodes) -> NDArray[np.float32]:
        chosen = ((0.01 + worth[episodes.modality]) * episodes.mask).argmax(axis=1)
        scores: NDArray[np.float32] = episodes.embeddings[np.arange(len(chosen)), chosen] @ centres.T
        return scores

    return rule
