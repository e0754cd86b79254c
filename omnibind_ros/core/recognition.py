"""The answer: ranked labels, how sure, and which sensors say so."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

UNKNOWN = "unknown"
"""The label of something that is none of the bundle's classes."""


@dataclass(frozen=True)
class LabelScore:
    """A label and its calibrated probability."""

    label: str
    score: float


@dataclass(frozen=True)
class Contribution:
    """A live sensor and its share of the answer; the shares of one recognition sum to 1."""

    sensor: str
    weight: float


@dataclass(frozen=True, eq=False)
class Recognition:
    """What the live sensors show together.

    Attributes:
        stamp: newest contributing sample, ns since the epoch; without a live sensor, the time of the step.
        labels: best first; the first is `unknown` when no class is likely enough; **empty = no live sensor**.
        contributions: one per live sensor, heaviest first.
        fused: float32 [D] unit norm, or None without a live sensor.
    """

    stamp: int
    labels: tuple[LabelScore, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    fused: NDArray[np.float32] | None = field(default=None, repr=False)

    @property
    def answer(self) -> str | None:
        """The best label, `unknown`, or None when no sensor is live."""
        return self.labels[0].label if self.labels else None
