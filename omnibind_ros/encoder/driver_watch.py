"""Notices a driver that has gone silent. Pure: it is told the time, in seconds of any steady clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SMOOTHING = 0.2


@dataclass(frozen=True)
class DriverTimeout:
    """A driver is silent after max(`min_s`, `periods` x its measured period); `min_s` inf means never."""

    min_s: float = 0.5
    periods: float = 3.0

    @property
    def never(self) -> bool:
        return math.isinf(self.min_s)


class DriverWatch:
    """Measures a driver's message period and says when it has been silent for too long."""

    def __init__(self, timeout: DriverTimeout) -> None:
        self.timeout = timeout
        self._heard_at: float | None = None
        self._period = 0.0
        self.alive = False
        """heard, and not silent for too long since"""

    @property
    def period_s(self) -> float:
        """Smoothed message period, 0 before two messages."""
        return self._period

    def heard(self, now: float) -> None:
        """A message came."""
        if self.alive and self._heard_at is not None:
            elapsed = now - self._heard_at
            self._period += (elapsed - self._period) * (_SMOOTHING if self._period else 1.0)
        self._heard_at = now
        self.alive = True

    def patience(self, now: float) -> float | None:
        """Seconds from `now` until the driver counts as silent; None while there is nothing to wait for."""
        if not self.alive or self._heard_at is None or self.timeout.never:
            return None
        limit = max(self.timeout.min_s, self.timeout.periods * self._period)
        return max(0.0, self._heard_at + limit - now)

    def fell_silent(self, now: float) -> bool:
        """True once, when the driver has been silent for too long."""
        if self.patience(now) != 0.0:
            return False
        self.alive = False
        return True
