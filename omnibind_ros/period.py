"""How often something arrives: the message period of a driver, the embedding period of a sensor.

The period is the lower median of the latest intervals between arrivals, so that single pauses and bursts
do not change it. Intervals are counted whether or not the source was given up meanwhile: a source slower
than its first time-out could not be measured otherwise. Pure: times are passed in.
"""

from __future__ import annotations

from collections import deque

LONGEST_S = 10.0
"""A longer interval is a pause. A source that is slower needs a longer minimal time-out instead."""

_INTERVALS_KEPT = 8
_INTERVALS_TO_TRUST = 2
"""Of two, the lower median is the shorter one: a single pause is not taken for a slow source."""


class Period:
    """Measures the period of one source.

    Args:
        ticks_per_s: unit of the times, e.g. 1e9 where they are ns. Results are in the same unit.
    """

    def __init__(self, ticks_per_s: float = 1.0) -> None:
        self._longest = LONGEST_S * ticks_per_s
        self._intervals: deque[float] = deque(maxlen=_INTERVALS_KEPT)
        self._latest: float | None = None

    def arrived(self, at: float) -> None:
        """Something arrived at `at`, on any clock that does not jump between two arrivals."""
        if self._latest is not None and 0 <= at - self._latest <= self._longest:
            self._intervals.append(at - self._latest)
        self._latest = at

    def interrupt(self) -> None:
        """The clock jumped: the time up to the next arrival is not an interval."""
        self._latest = None

    @property
    def measured(self) -> float:
        """The period; 0 before two arrivals."""
        return sorted(self._intervals)[(len(self._intervals) - 1) // 2] if self._intervals else 0

    @property
    def trusted(self) -> float:
        """The period as far as time-outs may depend on it; 0 before three arrivals."""
        return self.measured if len(self._intervals) >= _INTERVALS_TO_TRUST else 0
