"""Fusion rules without training: baselines of adaptive fusion on the same embeddings."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.bundle.temperature_scaling import softmax
from omnibind_ros.host.evaluation.sensor_sets import SensorSets

Rule = Callable[[SensorSets], NDArray[np.floating]]
"""Sensor sets -> scores [B, K]; the answer is the class with the largest."""

SHARPNESS = 14.0
"""Scale of a single sensor's softmax in rules that need probabilities."""


def static_rules(centres: NDArray[np.float32]) -> dict[str, Rule]:
    """The rules by name.

    Args:
        centres: float32 [K, D], unit norm.
    """

    def cosines(sets: SensorSets) -> NDArray[np.float64]:
        return np.asarray(sets.embeddings @ centres.T, np.float64)

    def mean(sets: SensorSets) -> NDArray[np.float64]:
        summed: NDArray[np.float64] = (cosines(sets) * sets.mask[..., None]).sum(axis=1)
        return summed

    def mean_of_probabilities(sets: SensorSets) -> NDArray[np.float64]:
        probabilities = softmax(SHARPNESS * cosines(sets))
        summed: NDArray[np.float64] = (probabilities * sets.mask[..., None]).sum(axis=1)
        return summed

    def product_of_experts(sets: SensorSets) -> NDArray[np.float64]:
        log_probabilities = np.log(softmax(SHARPNESS * cosines(sets)))
        return softmax((log_probabilities * sets.mask[..., None]).sum(axis=1))

    def most_confident(sets: SensorSets) -> NDArray[np.float64]:
        probabilities = softmax(SHARPNESS * cosines(sets))
        surest = (probabilities.max(axis=2) * sets.mask).argmax(axis=1)
        chosen: NDArray[np.float64] = probabilities[np.arange(len(probabilities)), surest]
        return chosen

    return {
        "mean of embeddings": mean,
        "mean of probabilities": mean_of_probabilities,
        "product of experts": product_of_experts,
        "most confident sensor": most_confident,
    }


def best_single(centres: NDArray[np.float32], accuracy: dict[int, float]) -> Rule:
    """The rule that takes the live sensor of the modality that is most accurate alone.

    Args:
        centres: float32 [K, D], unit norm.
        accuracy: by modality id, on clean recordings.
    """
    worth = np.array([accuracy.get(m, 0.0) for m in range(max(accuracy) + 1)])

    def rule(sets: SensorSets) -> NDArray[np.float32]:
        chosen = ((0.01 + worth[sets.modality]) * sets.mask).argmax(axis=1)
        scores: NDArray[np.float32] = sets.embeddings[np.arange(len(chosen)), chosen] @ centres.T
        return scores

    return rule
