"""From cosines to calibrated probabilities.

Temperature scaling (Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599) with one scale
per number of live sensors, because a cosine means more the more sensors agree on it. The host fits the
scales (`host/evaluation/confidence.py`); the bundle's manifest has them under `calibration`.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Strict

from omnibind_ros.config.strict_yaml import StrictModel


class TemperatureScaling(StrictModel):
    """p = softmax(scale_n x cosine) for n live sensors."""

    scale_by_count: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1), Strict(False)]
    """scale (inverse temperature) with 1, 2, 3, ... live sensors; the last one also for more"""
    unknown_threshold: Annotated[float, Field(ge=0, le=1)]
    """probability below which the answer is `unknown`, of the best class of `sample_probabilities`"""

    def scale(self, live_count: int) -> float:
        """The scale for this many live sensors (at least 1)."""
        return self.scale_by_count[min(live_count, len(self.scale_by_count)) - 1]

    def probabilities(self, cosines: NDArray[np.float32], live_count: int) -> NDArray[np.float64]:
        """Cosines [..., K] of fused embeddings -> float64 [..., K], rows summing to 1."""
        return softmax(self.scale(live_count) * np.asarray(cosines, np.float64))


MAX_EVIDENCE = 10.0
"""An encoder's norm is near exp(2.5); beyond exp(10) it is wrong, and must not overflow a model."""


def sample_probabilities(
    cosines: NDArray[np.float32], evidence: NDArray[np.float32] | float
) -> NDArray[np.float32]:
    """What single embeddings show: softmax(exp(evidence) cosines).

    Args:
        cosines: float32 [..., K], to the classes.
        evidence: float32 [...], of the embeddings.

    Returns:
        float32 [..., K], rows summing to 1.
    """
    scale = np.exp(np.clip(np.asarray(evidence, np.float32), -MAX_EVIDENCE, MAX_EVIDENCE))[..., None]
    logits = scale * cosines
    logits -= logits.max(axis=-1, keepdims=True)
    powers = np.exp(logits, out=logits)
    powers /= powers.sum(axis=-1, keepdims=True)
    return np.asarray(powers, np.float32)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Softmax over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities
