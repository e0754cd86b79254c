"""Notices that a driver sends nothing any more. Pure: times are passed in, in seconds of any steady clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from omnibind_ros.period import Period


@dataclass(frozen=True)
class DriverTimeout:
    """A driver is silent after max(`min_s`, `periods` x its measured period); `min_s` inf means never."""

    min_s: float = 0.5
    periods: float = 3.0

    @property
    def never(self) -> bool:
        """No silence is too long."""
        return math.isinf(self.min_s)


class DriverWatch:
    """Measures a driver's message period and detects when it has been silent for too long.

    Attributes:
        timeout: how long a driver may be silent; may be replaced at any time.
        alive: it has sent something, and not been silent for too long since.
    """

    def __init__(self, timeout: DriverTimeout) -> None:
        self.timeout = timeout
        self.alive = False
        self._latest = 0.0
        self._period = Period()

    @property
    def period_s(self) -> float:
        """Measured message period, 0 before two messages."""
        return self._period.measured

    def arrived(self, now: float) -> None:
        """A message arrived."""
        self._period.arrived(now)
        self._latest = now
        self.alive = True

    def patience(self, now: float) -> float | None:
        """Seconds from `now` until the driver counts as silent; None if there is nothing to wait for."""
        if not self.alive or self.timeout.never:
            return None
        limit = max(self.timeout.min_s, self.timeout.periods * self._period.trusted)
        return max(0.0, self._latest + limit - now)

    def fell_silent(self, now: float) -> bool:
        """True once when the driver has been silent for too long."""
        if self.patience(now) != 0.0:
            return False
        self.alive = False
        return True
