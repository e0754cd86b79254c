"""The types that all parts exchange: space, embedding, recognition, state of a sensor. Needs numpy only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage

Modality = str
"""The name of a modality; `omnibind_ros.modalities.registry` lists them."""

Floats = NDArray[np.float32]
"""Any array of float32; its shape is given where it is used."""


@dataclass(frozen=True)
class Space:
    """Name and dimension of an embedding space.

    Attributes:
        id: free text that identifies teacher, training run and centring, e.g. `all-MiniLM-L6-v2/digits/1`.
        dim: D, the length of an embedding.
    """

    id: str
    dim: int

    @cached_property
    def tag(self) -> int:
        """What is sent instead of the id: the first 4 bytes of its SHA-256, little endian."""
        return int.from_bytes(hashlib.sha256(self.id.encode()).digest()[:4], "little")


_UNIT_TOLERANCE = 1e-2


@dataclass(frozen=True, eq=False)
class Embedding:
    """The embedding of one sample.

    Attributes:
        sensor: name of the sensor it comes from.
        modality: kind of signal.
        vector: float32 [D], unit norm.
        stamp: end of the sample, ns since the epoch, by the sensor's clock.
        space: `Space.tag` of the space of the vector.
        quality: result of the signal checks of the sample, 0 (useless) to 1 (no objection).
        evidence: log of the scale s at which softmax(s cosines) is calibrated; where that is not known, log
            of the norm of the encoder's output before normalisation.
        frame_id: the sensor's coordinate frame.
        span: seconds before `stamp` at which the sample began; 0 = an instant, or not known.
    """

    sensor: str
    modality: Modality
    vector: NDArray[np.float32]
    stamp: int
    space: int
    quality: float = 1.0
    evidence: float = 0.0
    frame_id: str = ""
    span: float = 0.0

    def check(self, space: Space) -> None:
        """Check that fusion can use it.

        Raises:
            BadMessage: wrong space, wrong size, not finite, or not of unit norm.
        """
        problem = self._problem(space)
        if problem:
            raise BadMessage(f"embedding of sensor {self.sensor!r} ({self.modality}): {problem}")

    def _problem(self, space: Space) -> str | None:
        if self.space != space.tag:
            return (
                f"it lives in space {self.space:#010x}, fusion in {space.tag:#010x} ({space.id}); "
                "start this encoder from the same bundle as fusion"
            )
        if self.vector.shape != (space.dim,):
            return f"it has shape {self.vector.shape}, the space {space.id!r} needs ({space.dim},)"
        norm = float(np.sqrt(np.dot(self.vector, self.vector)))
        if (
            not np.isfinite(norm)
            or not np.isfinite(self.evidence)
            or not np.isfinite(self.quality + self.span)
        ):
            return "it is not finite; check the encoder's input"
        if abs(norm - 1.0) > _UNIT_TOLERANCE:
            return f"its norm is {norm:.3g}, not 1; the encoder must normalise"
        return None


UNKNOWN = "unknown"
"""The label of something that is none of the bundle's classes."""


@dataclass(frozen=True)
class LabelScore:
    """A label, or `unknown`, and its probability (`fusion/ranking.py`)."""

    label: str
    score: float


@dataclass(frozen=True)
class Contribution:
    """A live sensor and its share of the answer; the shares of one recognition sum to 1."""

    sensor: str
    weight: float


@dataclass(frozen=True, eq=False)
class Recognition:
    """The answer of all live sensors together.

    Attributes:
        stamp: newest contributing sample, ns since the epoch by fusion's clock; without a live sensor, the
            time of the step.
        labels: best first; scores descend and sum to 1 at most. The first is `unknown` when no class is
            likely enough; **empty = no live sensor**.
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


class SensorState(str, Enum):
    """State of a sensor in fusion."""

    LIVE = "live"
    """its newest embedding is valid and fresh; it is fused"""
    STALE = "stale"
    """its encoder is there, but its newest embedding is too old or has not arrived yet; not fused"""
    LOST = "lost"
    """its encoder has no valid input or is gone, or it has been stale for long"""
    MUTED = "muted"
    """switched off by parameter"""
    FAULTY = "faulty"
    """its embeddings are invalid, or contradict those of the other sensors"""


@dataclass(frozen=True)
class SensorStatus:
    """State of a sensor for the live table and diagnostics.

    Attributes:
        reason: why it is in this state, for people.
        rate_hz: measured embedding rate, 0 before two embeddings.
        age_s: age of the latest valid embedding, None before the first.
        weight: share of the latest recognition.
        quality: of the latest valid embedding, 0 before the first.
        rejected: number of embeddings refused so far.
        health: probability that its samples are of the scene, as far as the other sensors tell.
    """

    sensor: str
    modality: Modality
    state: SensorState
    reason: str
    rate_hz: float = 0.0
    age_s: float | None = None
    weight: float = 0.0
    quality: float = 0.0
    rejected: int = 0
    health: float = 1.0
