"""Which sensors count now: a state machine per sensor, driven by messages and by a clock it is handed.

    LIVE    its newest embedding is valid and younger than max(min_timeout, periods x measured period)
    STALE   that one is too old, or none has come yet
    LOST    it said goodbye, its process is gone, or it has been silent for long
    FAULTY  what it sends is refused (not finite, wrong size, wrong space, stamps backwards) or stuck
    MUTED   switched off by parameter

Messages change a sensor through `update`, `appear`, `goodbye`, `leave` and `reject`; time does the rest. A
state is always derived from what is known and `now`, never stored, so a query cannot be out of date:
`live`, `statuses` and `next_expiry` ask, `advance` reports what has changed since it was last called.
Any newer valid embedding brings a sensor straight back, whatever state it was in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from omnibind_ros.errors import BadMessage, ConfigError
from omnibind_ros.types import Embedding, Modality, SensorState, SensorStatus, Space

_SECOND = 1_000_000_000
_FOREVER = 1 << 62
_MAX_SENSORS = 256
_MAX_CHANGES = 1024
_INTERVALS_KEPT = 8
_INTERVALS_TO_TRUST = 3
"""Fewer say nothing about a period: one pause between two embeddings must not stretch a sensor's time-out."""


@dataclass(frozen=True)
class Freshness:
    """How long an embedding counts, and what is taken for a fault. All in seconds.

    Attributes:
        min_timeout_s: a sensor is live at least this long after an embedding.
        min_timeout_by_modality: the same for modalities with long windows.
        periods: a slow sensor is live for this many of its measured periods.
        hold_s: modalities that stay live for this long instead (`inf`: until replaced). They may repeat
            themselves without counting as stuck.
        stuck_after_s: bit-identical vectors for this long are a fault; real sensors have noise.
        lost_after_s: a sensor silent for this long beyond its time-out is lost.
        max_back_jump_s: a stamp further back than this starts the sensor afresh (a looping bag); less is a
            fault.
        future_tolerance_s: stamps may be ahead of fusion's clock by this much.
        max_delay_s: stamps that keep arriving later than this show another clock, not a delay. The age of
            such a sensor, as of one whose stamps come from the future or have looped, counts from receipt.

    Raises:
        ConfigError: a value is not positive.
    """

    min_timeout_s: float = 0.5
    min_timeout_by_modality: Mapping[Modality, float] = field(
        default_factory=lambda: {"audio": 1.5, "touch": 4.0}
    )
    periods: float = 3.0
    hold_s: Mapping[Modality, float] = field(default_factory=lambda: {"text": math.inf})
    stuck_after_s: float = 5.0
    lost_after_s: float = 10.0
    max_back_jump_s: float = 1.0
    future_tolerance_s: float = 0.1
    max_delay_s: float = 10.0

    def __post_init__(self) -> None:
        values: dict[str, float] = {}
        for name, value in vars(self).items():
            if isinstance(value, Mapping):
                values.update({f"{name}[{modality}]": seconds for modality, seconds in value.items()})
            else:
                values[name] = value
        for name, number in values.items():
            if not number > 0:
                raise ConfigError(f"freshness {name} is {number!r}: give a positive number")

    def timeout(self, modality: Modality, period: int) -> int:
        """The age in ns from which on a sensor is stale; its measured `period` in ns, 0 = unknown."""
        if modality in self.hold_s:
            return _nanoseconds(self.hold_s[modality])
        minimum = self.min_timeout_by_modality.get(modality, self.min_timeout_s)
        return max(_nanoseconds(minimum), int(self.periods * period))


@dataclass(frozen=True)
class Change:
    """A sensor went from one state to another.

    Attributes:
        before: None when the sensor is new.
        reason: why, for a person to read.
        when: the `now` at which the live set noticed, ns.
    """

    sensor: str
    modality: Modality
    before: SensorState | None
    after: SensorState
    reason: str
    when: int


@dataclass(slots=True, eq=False)
class _Sensor:
    """What is known of one sensor. All times in ns."""

    name: str
    modality: Modality
    heard: int
    """when anything last came from it"""
    timeout: int
    latest: Embedding | None = None
    """its newest valid embedding; none after it went away"""
    newest_stamp: int | None = None
    """survives its going away, so that a leftover delivered late cannot bring it back"""
    received: int | None = None
    born: int = 0
    """from when the age of `latest` counts: its stamp or its receipt"""
    own_clock: bool = False
    """its stamps do not follow fusion's clock"""
    same_since: int = 0
    intervals: deque[int] = field(default_factory=lambda: deque(maxlen=_INTERVALS_KEPT))
    repeats: int = 0
    rejected: int = 0
    gone: str = ""
    fault: str = ""
    reported: SensorState | None = None

    @property
    def period(self) -> int:
        """Lower median of the latest intervals between receipts; 0 before two embeddings."""
        return sorted(self.intervals)[(len(self.intervals) - 1) // 2] if self.intervals else 0

    def forget(self) -> None:
        """Nothing it sent so far counts any longer."""
        self.latest = self.received = None
        self.intervals.clear()
        self.fault = ""


class LiveSet:
    """The sensors fusion knows and which of them count.

    Stamps and `now` are ns since the epoch of one clock. Embeddings are kept by reference: their vectors must
    not be written to afterwards. Memory is bounded: beyond 256 names the longest lost is forgotten.
    """

    def __init__(self, space: Space, freshness: Freshness | None = None) -> None:
        self._space = space
        self._sensors: dict[str, _Sensor] = {}
        self._muted: frozenset[str] = frozenset()
        self._changes: deque[Change] = deque(maxlen=_MAX_CHANGES)
        self._now = 0
        self.freshness = freshness or Freshness()

    @property
    def freshness(self) -> Freshness:
        """How long embeddings count; may be replaced at any time."""
        return self._freshness

    @freshness.setter
    def freshness(self, freshness: Freshness) -> None:
        self._freshness = freshness
        self._stuck_after = _nanoseconds(freshness.stuck_after_s)
        self._lost_after = _nanoseconds(freshness.lost_after_s)
        self._max_back_jump = _nanoseconds(freshness.max_back_jump_s)
        self._tolerance = _nanoseconds(freshness.future_tolerance_s)
        self._max_delay = _nanoseconds(freshness.max_delay_s)
        for sensor in self._sensors.values():
            sensor.timeout = freshness.timeout(sensor.modality, self._trusted_period(sensor))

    # What arrives

    def update(self, embedding: Embedding, now: int) -> bool:
        """An embedding arrived. True if it counts from now on; otherwise it is refused, and counted."""
        sensor = self._sensor(embedding.sensor, embedding.modality, now)
        problem = self._problem(sensor, embedding)
        if problem is None:
            self._accept(sensor, embedding, now)
            problem = self._stuck(sensor, now)
        sensor.heard = now
        if problem is not None:
            sensor.rejected += 1
        if problem:
            sensor.fault, sensor.gone = problem, ""
        self._note(sensor, now)
        return problem is None

    def appear(self, sensor: str, modality: Modality, now: int) -> None:
        """Its encoder is there and has sent nothing yet. A modality nobody knows yet is ''."""
        known = self._sensor(sensor, modality, now)
        if known.gone:
            known.gone, known.heard = "", now
        self._note(known, now)

    def goodbye(self, sensor: str, now: int, modality: Modality = "") -> None:
        """Its encoder is there and says that it has nothing valid (a 0-point cloud)."""
        self._go(self._sensor(sensor, modality, now), "said goodbye: its encoder has no valid input", now)

    def leave(self, sensor: str, now: int, reason: str = "its encoder is gone") -> None:
        """Its process is gone. A sensor never heard of is not worth a line."""
        known = self._sensors.get(sensor)
        if known is not None:
            self._go(self._sensor(sensor, known.modality, now), reason, now)

    def reject(self, sensor: str, reason: str, now: int, modality: Modality = "") -> None:
        """A message of it could not even be decoded."""
        known = self._sensor(sensor, modality, now)
        known.rejected += 1
        known.fault, known.gone, known.heard = reason, "", now
        self._note(known, now)

    def mute(self, sensors: Collection[str]) -> None:
        """Exactly these are muted from now on; the names need not be known."""
        self._muted = frozenset(sensors)

    def reset(self, now: int) -> None:
        """The clock jumped: what was received no longer counts, but for what is held until replaced.

        A jump back beyond the tolerance is noticed without being told.
        """
        self._now = now
        for sensor in self._sensors.values():
            sensor.newest_stamp = None
            sensor.heard = min(sensor.heard, now)
            if sensor.timeout < _FOREVER:
                sensor.forget()
                sensor.gone = sensor.gone or "the clock jumped; waiting for a new embedding"
            else:
                sensor.born = min(sensor.born, now)

    # What to know

    def live(self, now: int) -> tuple[Embedding, ...]:
        """The newest embedding of each live sensor, ordered by sensor name."""
        return tuple(
            sensor.latest
            for sensor in self._sensors.values()
            if sensor.latest is not None and self._state(sensor, now) is SensorState.LIVE
        )

    def statuses(self, now: int) -> tuple[SensorStatus, ...]:
        """A line per known sensor, ordered by name."""
        return tuple(self._status(sensor, now) for sensor in self._sensors.values())

    def next_expiry(self, now: int) -> int | None:
        """When the next live sensor goes stale if nothing arrives; None when none ever will."""
        expiries = [
            sensor.born + sensor.timeout
            for sensor in self._sensors.values()
            if sensor.timeout < _FOREVER and self._state(sensor, now) is SensorState.LIVE
        ]
        return min(expiries, default=None)

    def advance(self, now: int) -> tuple[Change, ...]:
        """What changed since the last call, by messages or by time, in the order it was noticed."""
        self._look_at_clock(now)
        for sensor in self._sensors.values():
            self._note(sensor, now)
        changes = tuple(self._changes)
        self._changes.clear()
        return changes

    # How an embedding is judged

    def _problem(self, sensor: _Sensor, embedding: Embedding) -> str | None:
        """Why not to use it; '' for a repetition, which is refused without being a fault."""
        try:
            embedding.check(self._space)
        except BadMessage as error:
            return str(error)
        if sensor.newest_stamp is None:
            return None
        back = sensor.newest_stamp - embedding.stamp
        if back < 0 or back > self._max_back_jump:
            return None
        if back == 0:
            sensor.repeats += 1
            return ""
        return f"its stamp is {back / _SECOND:.3f} s older than the one before; check the driver's stamps"

    def _accept(self, sensor: _Sensor, embedding: Embedding, now: int) -> None:
        looped = sensor.newest_stamp is not None and embedding.stamp < sensor.newest_stamp
        paused = sensor.received is None or now - sensor.received >= sensor.timeout
        if looped or sensor.modality != embedding.modality:
            sensor.intervals.clear()
            sensor.received = None
        self._measure(sensor, embedding.modality, now)
        late = now - embedding.stamp
        if -self._tolerance <= late < sensor.timeout:
            sensor.own_clock = False
        elif looped or late < -self._tolerance or (late > self._max_delay and sensor.latest is not None):
            # A first embedding that is this old is no other clock but a leftover: it stays old.
            sensor.own_clock = True
        if paused or not _repeats(sensor.latest, embedding):
            sensor.same_since = now
        sensor.modality, sensor.latest, sensor.newest_stamp = embedding.modality, embedding, embedding.stamp
        sensor.received = now
        sensor.born = now if sensor.own_clock else embedding.stamp
        sensor.repeats = 0
        sensor.gone = sensor.fault = ""

    def _measure(self, sensor: _Sensor, modality: Modality, now: int) -> None:
        """Take the interval since the last embedding into the period, unless it was a long break."""
        if sensor.received is not None:
            interval = now - sensor.received
            if 0 <= interval < sensor.timeout + self._lost_after:
                sensor.intervals.append(interval)
            else:
                sensor.intervals.clear()
                sensor.received = None
        sensor.timeout = self.freshness.timeout(modality, self._trusted_period(sensor))

    def _trusted_period(self, sensor: _Sensor) -> int:
        return sensor.period if len(sensor.intervals) >= _INTERVALS_TO_TRUST else 0

    def _stuck(self, sensor: _Sensor, now: int) -> str | None:
        if sensor.modality in self.freshness.hold_s or now - sensor.same_since < self._stuck_after:
            return None
        seconds = (now - sensor.same_since) / _SECOND
        return f"stuck: bit-identical embeddings for {seconds:.1f} s; check the sensor"

    def _look_at_clock(self, now: int) -> None:
        if now < self._now - self._tolerance:
            self.reset(now)
        self._now = max(self._now, now)

    def _go(self, sensor: _Sensor, reason: str, now: int) -> None:
        sensor.forget()
        sensor.gone, sensor.heard = reason, now
        self._note(sensor, now)

    # How a state follows from what is known

    def _state(self, sensor: _Sensor, now: int) -> SensorState:
        if sensor.name in self._muted:
            return SensorState.MUTED
        if sensor.gone:
            return SensorState.LOST
        if sensor.fault or sensor.latest is None:
            if now - sensor.heard >= sensor.timeout + self._lost_after:
                return SensorState.LOST
            return SensorState.FAULTY if sensor.fault else SensorState.STALE
        age = now - sensor.born
        if -self._tolerance <= age < sensor.timeout:
            return SensorState.LIVE
        return SensorState.STALE if age < sensor.timeout + self._lost_after else SensorState.LOST

    def _reason(self, sensor: _Sensor, state: SensorState, now: int) -> str:
        if state is SensorState.MUTED:
            return "muted by parameter"
        if sensor.gone:
            return sensor.gone
        if sensor.fault:
            silent = f"silent for {(now - sensor.heard) / _SECOND:.1f} s; before: "
            return silent + sensor.fault if state is SensorState.LOST else sensor.fault
        if sensor.latest is None:
            return "its encoder is there; no embedding yet"
        if state is SensorState.LIVE:
            if not sensor.own_clock:
                return "fresh"
            offset = (sensor.latest.stamp - sensor.born) / _SECOND
            direction = "ahead of" if offset > 0 else "behind"
            return (
                f"stamps are {abs(offset):.1f} s {direction} fusion's clock: age counts from receipt; "
                "synchronise the clocks"
            )
        age = now - sensor.born
        if age < 0:
            return "its latest embedding is from the future: the clock jumped back"
        late = 0 if sensor.received is None else sensor.received - sensor.born
        if late >= sensor.timeout:
            return f"its latest embedding arrived {late / _SECOND:.1f} s late; check clocks and network"
        repeated = f", {sensor.repeats} with the stamp of the last" if sensor.repeats else ""
        return f"no new embedding for {age / _SECOND:.1f} s{repeated}"

    def _status(self, sensor: _Sensor, now: int) -> SensorStatus:
        state = self._state(sensor, now)
        period = 0 if state is SensorState.LOST else sensor.period
        latest = sensor.latest
        return SensorStatus(
            sensor=sensor.name,
            modality=sensor.modality,
            state=state,
            reason=self._reason(sensor, state, now),
            rate_hz=_SECOND / period if period else 0.0,
            age_s=None if latest is None else max(0, now - sensor.born) / _SECOND,
            quality=0.0 if latest is None else latest.quality,
            rejected=sensor.rejected,
        )

    def _note(self, sensor: _Sensor, now: int) -> None:
        state = self._state(sensor, now)
        if state is not sensor.reported:
            reason = self._reason(sensor, state, now)
            self._changes.append(Change(sensor.name, sensor.modality, sensor.reported, state, reason, now))
            sensor.reported = state

    def _sensor(self, name: str, modality: Modality, now: int) -> _Sensor:
        self._look_at_clock(now)
        known = self._sensors.get(name)
        if known is None:
            if len(self._sensors) >= _MAX_SENSORS:
                del self._sensors[self._least_missed(now)]
            known = _Sensor(name, modality, heard=now, timeout=self.freshness.timeout(modality, 0))
            self._sensors[name] = known
            self._sensors = dict(sorted(self._sensors.items()))
        elif not known.modality:
            known.modality, known.timeout = modality, self.freshness.timeout(modality, 0)
        return known

    def _least_missed(self, now: int) -> str:
        def missed(sensor: _Sensor) -> tuple[bool, int]:
            return self._state(sensor, now) is not SensorState.LOST, sensor.heard

        return min(self._sensors.values(), key=missed).name


def _nanoseconds(seconds: float) -> int:
    return _FOREVER if math.isinf(seconds) else min(int(seconds * _SECOND), _FOREVER)


def _repeats(before: Embedding | None, embedding: Embedding) -> bool:
    return before is not None and np.array_equal(before.vector, embedding.vector)
