"""What fusion thinks of one sensor, and why: the vocabulary of diagnostics and of the live table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from omnibind_ros.core.modality import Modality


class SensorState(str, Enum):
    """The life of a sensor as fusion sees it."""

    LIVE = "live"
    """its latest embedding is valid and fresh; it is fused"""
    STALE = "stale"
    """it is still there but its latest embedding is too old; not fused"""
    LOST = "lost"
    """it said goodbye, its process is gone, or it has been stale for long"""
    MUTED = "muted"
    """switched off by parameter"""
    FAULTY = "faulty"
    """what it sends is invalid or stuck"""


@dataclass(frozen=True)
class SensorStatus:
    """A line of the live table.

    Attributes:
        reason: why it is in this state, for a person to read.
        rate_hz: measured embedding rate, 0 before two embeddings.
        age_s: age of the latest valid embedding, None before the first.
        weight: share of the latest recognition.
        rejected: embeddings refused so far.
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
