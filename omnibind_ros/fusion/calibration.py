"""From cosines to probabilities that mean what they say.

Temperature scaling (Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599) with one scale
per number of live sensors, as a cosine means more the more sensors agree on it. `calibration_fit` finds them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BundleError


@dataclass(frozen=True)
class Calibration:
    """p = softmax(scale_n x cosine) for n live sensors.

    Attributes:
        scale_by_count: the scale for 1, 2, 3 ... live sensors; the last holds for any number beyond.
        unknown_threshold: a best probability below this means `unknown`.

    Raises:
        BundleError: no scale, a scale that is not positive, or a threshold outside [0, 1].
    """

    scale_by_count: tuple[float, ...]
    unknown_threshold: float = 0.0

    def __post_init__(self) -> None:
        if not self.scale_by_count or not all(math.isfinite(s) and s > 0 for s in self.scale_by_count):
            raise BundleError(
                f"calibration: scale_by_count is {self.scale_by_count}; it needs positive numbers, one for "
                "each number of live sensors"
            )
        if not 0 <= self.unknown_threshold <= 1:
            raise BundleError(
                f"calibration: unknown_threshold is {self.unknown_threshold}, not within 0 to 1"
            )

    def scale(self, live_count: int) -> float:
        """The scale for this many live sensors (at least 1)."""
        return self.scale_by_count[min(live_count, len(self.scale_by_count)) - 1]

    def probabilities(self, cosines: NDArray[np.float32], live_count: int) -> NDArray[np.float64]:
        """Cosines [..., K] of fused embeddings -> float64 [..., K], rows summing to 1."""
        return softmax(self.scale(live_count) * np.asarray(cosines, np.float64))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities
