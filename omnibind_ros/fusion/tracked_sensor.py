"""One sensor of the live set: what arrived from it, and which state follows from that and from the time.

A state is never stored: `state` derives it from what is known and `now`. All times are ns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from omnibind_ros.config.robot import Freshness
from omnibind_ros.errors import BadMessage
from omnibind_ros.period import Period
from omnibind_ros.types import Embedding, Modality, SensorState, SensorStatus, Space

SECOND = 1_000_000_000
FOREVER = 1 << 62


class Timeouts:
    """`Freshness` in ns, ready to compare with.

    Args:
        expected_periods: seconds between two embeddings of a modality, assumed until they are measured.
    """

    def __init__(self, freshness: Freshness, expected_periods: Mapping[Modality, float]) -> None:
        self.freshness = freshness
        self._expected = expected_periods
        self.lost_after = nanoseconds(freshness.lost_after_s)
        self.max_back_jump = nanoseconds(freshness.max_back_jump_s)
        self.tolerance = nanoseconds(freshness.future_tolerance_s)
        self.max_delay = nanoseconds(freshness.max_delay_s)

    def of(self, modality: Modality, period: float = 0) -> int:
        """Age at which an embedding is too old. `period`: measured between embeddings; 0 = unknown."""
        if self.holds(modality):
            return nanoseconds(self.freshness.hold_s[modality])
        minimum = self.freshness.min_timeout_by_modality.get(modality, self.freshness.min_timeout_s)
        period = period or self._expected.get(modality, 0) * SECOND
        return max(nanoseconds(minimum), int(self.freshness.periods * period))

    def holds(self, modality: Modality) -> bool:
        """An embedding counts for a fixed time, and may be repeated."""
        return modality in self.freshness.hold_s


class TrackedSensor:
    """A sensor that fusion knows.

    Attributes:
        latest: its newest valid embedding, with its stamp on fusion's clock; None after the sensor left.
        timeout: age of `latest` at which it is too old.
        last_arrival: when anything last arrived from it.
        reported: the state last seen by whoever follows changes.
        distrust: why its embeddings, though valid, are not fused; "" = they are.
    """

    def __init__(self, name: str, modality: Modality, timeouts: Timeouts, now: int, *, muted: bool) -> None:
        self.name = name
        self.modality = modality
        self.muted = muted
        self.latest: Embedding | None = None
        self.last_arrival = now
        self.reported: SensorState | None = None
        self.distrust = ""
        self._period = Period(SECOND)
        self._newest_stamp: int | None = None  # kept when it leaves: late leftovers must not bring it back
        self._received: int | None = None
        self._own_clock = False  # its stamps do not follow fusion's clock
        self._repeats = 0
        self._rejected = 0
        self._gone = ""
        self._fault = ""
        self.timeouts = timeouts

    @property
    def timeouts(self) -> Timeouts:
        """May be replaced at any time."""
        return self._timeouts

    @timeouts.setter
    def timeouts(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self.timeout = timeouts.of(self.modality, self._period.trusted)

    @property
    def fault(self) -> str:
        """What is wrong with what it sent last; "" if nothing is."""
        return self._fault

    # What arrives

    def update(self, embedding: Embedding, space: Space, now: int) -> bool:
        """An embedding. True if it is accepted; otherwise it is counted as rejected."""
        problem = self._problem(embedding, space)
        if problem is None:
            self._accept(embedding, now)
        self.last_arrival = now
        if problem is not None:
            self._rejected += 1
        if problem:
            self._fault, self._gone = problem, ""
        return problem is None

    def appear(self, now: int) -> None:
        """Its encoder was discovered."""
        if self._gone:
            self._gone, self.last_arrival = "", now

    def reject(self, reason: str, now: int) -> None:
        """A message that cannot be decoded."""
        self._rejected += 1
        self._fault, self._gone, self.last_arrival = reason, "", now

    def go(self, reason: str, now: int) -> None:
        """It has nothing valid to send any more."""
        self._forget()
        self._gone, self.last_arrival = reason, now

    def reset(self, now: int) -> None:
        """The clock jumped: what arrived before is invalid, except what is held without limit."""
        self._period.interrupt()
        self._newest_stamp, self._own_clock = None, False
        self.last_arrival = min(self.last_arrival, now)
        if self.timeout < FOREVER:
            self._forget()
            self._gone = self._gone or "the clock jumped; waiting for a new embedding"
        elif self.latest is not None:
            self.latest = replace(self.latest, stamp=min(self.latest.stamp, now))

    def know(self, modality: Modality) -> None:
        """Take over its modality where that was unknown."""
        if modality and not self.modality:
            self.modality = modality
            self.timeouts = self._timeouts

    # What follows

    def state(self, now: int) -> SensorState:
        """Its state at `now`."""
        if self.muted:
            return SensorState.MUTED
        if self._gone:
            return SensorState.LOST
        if self._fault or self.latest is None:
            if now - self.last_arrival >= self.timeout + self._timeouts.lost_after:
                return SensorState.LOST
            return SensorState.FAULTY if self._fault else SensorState.STALE
        age = now - self.latest.stamp
        if -self._timeouts.tolerance <= age < self.timeout:
            return SensorState.FAULTY if self.distrust else SensorState.LIVE
        return SensorState.STALE if age < self.timeout + self._timeouts.lost_after else SensorState.LOST

    def expiry(self) -> int | None:
        """When `latest` becomes too old; None if it never does, or is not there."""
        if self.latest is None or self.timeout >= FOREVER:
            return None
        return self.latest.stamp + self.timeout

    def reason(self, now: int) -> str:
        """Why it is in its state."""
        state = self.state(now)
        if state is SensorState.MUTED:
            return "muted by parameter"
        if self._gone:
            return self._gone
        if self._fault:
            silent = f"silent for {(now - self.last_arrival) / SECOND:.1f} s; before: "
            return silent + self._fault if state is SensorState.LOST else self._fault
        if self.latest is None:
            return "its encoder is there; no embedding yet"
        if state is SensorState.FAULTY:
            return self.distrust
        if state is SensorState.LIVE:
            return self._clock_problem() or "fresh"
        return self._why_too_old(self.latest, now)

    def status(self, now: int) -> SensorStatus:
        """Its line of the live table."""
        state = self.state(now)
        period = 0 if state is SensorState.LOST else self._period.measured
        return SensorStatus(
            sensor=self.name,
            modality=self.modality,
            state=state,
            reason=self.reason(now),
            rate_hz=SECOND / period if period else 0.0,
            age_s=None if self.latest is None else max(0, now - self.latest.stamp) / SECOND,
            quality=0.0 if self.latest is None else self.latest.quality,
            rejected=self._rejected,
        )

    def _problem(self, embedding: Embedding, space: Space) -> str | None:
        """Why not to accept it; '' for a repetition, which is rejected but is not a fault."""
        try:
            embedding.check(space)
        except BadMessage as error:
            return str(error)
        if self._newest_stamp is None:
            return None
        back = self._newest_stamp - embedding.stamp
        if back < 0 or back > self._timeouts.max_back_jump:
            return None
        if back == 0:
            self._repeats += 1
            return ""
        return f"its stamp is {back / SECOND:.3f} s older than the one before; check the driver's stamps"

    def _accept(self, embedding: Embedding, now: int) -> None:
        if embedding.modality != self.modality:
            self._period = Period(SECOND)
        self._period.arrived(now)
        self.modality = embedding.modality
        self.timeout = self._timeouts.of(self.modality, self._period.trusted)
        self._compare_clocks(embedding.stamp, now)
        # Everything downstream compares stamps of different sensors: they must be of one clock.
        self.latest = replace(embedding, stamp=now) if self._own_clock else embedding
        self._newest_stamp, self._received = embedding.stamp, now
        self._repeats = 0
        self._gone = self._fault = ""

    def _compare_clocks(self, stamp: int, now: int) -> None:
        late = now - stamp
        looped = self._newest_stamp is not None and stamp < self._newest_stamp
        if -self._timeouts.tolerance <= late < self.timeout:
            self._own_clock = False
        elif looped or late < -self._timeouts.tolerance:
            self._own_clock = True
        elif late > self._timeouts.max_delay and self.latest is not None:
            # Only the second one: a first embedding that is this old is a leftover, not another clock.
            self._own_clock = True

    def _forget(self) -> None:
        self.latest = self._received = None
        self._fault = ""

    def _clock_problem(self) -> str:
        if not self._own_clock or self.latest is None or self._newest_stamp is None:
            return ""
        offset = (self._newest_stamp - self.latest.stamp) / SECOND
        direction = "ahead of" if offset > 0 else "behind"
        return (
            f"stamps are {abs(offset):.1f} s {direction} fusion's clock: age counts from receipt; "
            "synchronise the clocks"
        )

    def _why_too_old(self, latest: Embedding, now: int) -> str:
        age = now - latest.stamp
        if age < 0:
            return "its latest embedding is from the future: the clock jumped back"
        late = 0 if self._received is None else self._received - latest.stamp
        if late >= self.timeout:
            return f"its latest embedding arrived {late / SECOND:.1f} s late; check clocks and network"
        repeated = f", {self._repeats} with the stamp of the last" if self._repeats else ""
        return f"no new embedding for {age / SECOND:.1f} s{repeated}"


def nanoseconds(seconds: float) -> int:
    """Seconds, possibly infinite, as ns."""
    return FOREVER if math.isinf(seconds) else min(int(seconds * SECOND), FOREVER)
