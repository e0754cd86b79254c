"""Which sensors are fused now. Pure: messages are passed in, and so is the time.

    LIVE    its newest embedding is valid and younger than max(min_timeout, periods x measured period)
    STALE   that one is too old, or none has arrived yet
    LOST    its encoder has no valid input or is gone, or nothing has arrived for long
    FAULTY  its embeddings are refused (not finite, wrong size or space, stamps backwards) or distrusted
    MUTED   switched off by parameter

`update`, `appear`, `withdraw`, `leave` and `reject` record what arrived; `live`, `statuses` and `next_expiry`
tell what follows from that at `now`; `advance` returns what has changed since its last call. Any newer valid
embedding makes a sensor live again, whatever state it was in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from omnibind_ros.config.robot import Freshness
from omnibind_ros.fusion.tracked_sensor import Timeouts, TrackedSensor
from omnibind_ros.types import Embedding, Modality, SensorState, SensorStatus, Space

_MAX_SENSORS = 256
_MAX_CHANGES = 1024


@dataclass(frozen=True)
class Change:
    """A sensor went from one state to another.

    Attributes:
        before: None when the sensor is new.
        reason: why, for a person to read.
        when: the `now` at which the change was noticed, ns.
    """

    sensor: str
    modality: Modality
    before: SensorState | None
    after: SensorState
    reason: str
    when: int


class LiveSet:
    """The sensors that fusion knows and their states.

    Stamps and `now` are ns since the epoch of fusion's clock. Embeddings are kept by reference: their vectors
    must not be written to afterwards. Memory is bounded: beyond 256 names the longest lost is forgotten.

    Args:
        space: what embeddings must live in.
        freshness: how long embeddings count.
        expected_periods: seconds between two embeddings of a modality, assumed until they are measured: a
            sensor that is slow by design must not become stale at its start.
    """

    def __init__(
        self,
        space: Space,
        freshness: Freshness | None = None,
        expected_periods: Mapping[Modality, float] | None = None,
    ) -> None:
        self._space = space
        self._expected_periods = expected_periods or {}
        self._sensors: dict[str, TrackedSensor] = {}
        self._muted: frozenset[str] = frozenset()
        self._changes: deque[Change] = deque(maxlen=_MAX_CHANGES)
        self._now = 0
        self.freshness = freshness or Freshness()

    @property
    def freshness(self) -> Freshness:
        """How long embeddings count; may be replaced at any time."""
        return self._timeouts.freshness

    @freshness.setter
    def freshness(self, freshness: Freshness) -> None:
        self._timeouts = Timeouts(freshness, self._expected_periods)
        for sensor in self._sensors.values():
            sensor.timeouts = self._timeouts

    # What arrives

    def update(self, embedding: Embedding, now: int) -> bool:
        """An embedding arrived. True if it is fused from now on; otherwise it is counted as rejected."""
        sensor = self._sensor(embedding.sensor, embedding.modality, now)
        accepted = sensor.update(embedding, self._space, now)
        self._note(sensor, now)
        return accepted

    def appear(self, sensor: str, modality: Modality, now: int) -> None:
        """Its encoder was discovered and has sent nothing yet. An unknown modality is ''."""
        known = self._sensor(sensor, modality, now)
        known.appear(now)
        self._note(known, now)

    def withdraw(self, sensor: str, now: int, modality: Modality = "") -> None:
        """Its encoder is there and has no valid input (it sent a cloud of no points)."""
        self._go(self._sensor(sensor, modality, now), "its encoder has no valid input", now)

    def leave(self, sensor: str, now: int, reason: str = "its encoder is gone") -> None:
        """Its encoder is gone. Without effect for an unknown sensor."""
        if sensor in self._sensors:
            self._go(self._sensor(sensor, "", now), reason, now)

    def reject(self, sensor: str, reason: str, now: int, modality: Modality = "") -> None:
        """A message of it could not be decoded."""
        known = self._sensor(sensor, modality, now)
        known.reject(reason, now)
        self._note(known, now)

    def mute(self, sensors: Collection[str]) -> None:
        """Exactly these are muted from now on; the names need not be known."""
        self._muted = frozenset(sensors)
        for sensor in self._sensors.values():
            sensor.muted = sensor.name in self._muted

    def distrust(self, sensor: str, reason: str, now: int) -> None:
        """The sensor's embeddings are valid and wrong: it is FAULTY instead of LIVE. "" = trusted again."""
        known = self._sensors.get(sensor)
        if known is None or known.distrust == reason:
            return
        known.distrust = reason
        self._note(known, now)

    def reset(self, now: int) -> None:
        """The clock jumped: what arrived before is invalid, except what is held without limit.

        A jump back beyond the tolerance is noticed without this call.
        """
        self._now = now
        for sensor in self._sensors.values():
            sensor.reset(now)

    # What follows

    def live(self, now: int) -> tuple[Embedding, ...]:
        """The newest embedding of each live sensor, ordered by sensor name, stamped by fusion's clock.

        The stamp of a sensor whose own clock differs is replaced by the time of receipt.
        """
        return tuple(
            sensor.latest
            for sensor in self._sensors.values()
            if sensor.latest is not None and sensor.state(now) is SensorState.LIVE
        )

    def newest(self, sensor: str) -> Embedding | None:
        """The newest valid embedding of a sensor, stamped by fusion's clock; None after it left."""
        known = self._sensors.get(sensor)
        return None if known is None else known.latest

    def is_valid(self, sensor: str) -> bool:
        """Whether what a known sensor sent last can be used, trusted or not."""
        return self._sensors[sensor].fault == ""

    def timeout(self, sensor: str) -> int:
        """Age in ns at which an embedding of a known sensor is too old."""
        return self._sensors[sensor].timeout

    def holds(self, modality: Modality) -> bool:
        """Whether embeddings of the modality count for a fixed time and may be repeated."""
        return self._timeouts.holds(modality)

    def statuses(self, now: int) -> tuple[SensorStatus, ...]:
        """A line per known sensor, ordered by name."""
        return tuple(sensor.status(now) for sensor in self._sensors.values())

    def next_expiry(self, now: int) -> int | None:
        """When the next live sensor becomes stale if nothing arrives; None if none ever does."""
        expiries = (s.expiry() for s in self._sensors.values() if s.state(now) is SensorState.LIVE)
        return min((expiry for expiry in expiries if expiry is not None), default=None)

    def advance(self, now: int) -> tuple[Change, ...]:
        """What changed since the last call, by messages or by time, in the order it was noticed."""
        self._check_clock(now)
        for sensor in self._sensors.values():
            self._note(sensor, now)
        changes = tuple(self._changes)
        self._changes.clear()
        return changes

    def _check_clock(self, now: int) -> None:
        if now < self._now - self._timeouts.tolerance:
            self.reset(now)
        self._now = max(self._now, now)

    def _go(self, sensor: TrackedSensor, reason: str, now: int) -> None:
        sensor.go(reason, now)
        self._note(sensor, now)

    def _note(self, sensor: TrackedSensor, now: int) -> None:
        state = sensor.state(now)
        if state is not sensor.reported:
            change = Change(sensor.name, sensor.modality, sensor.reported, state, sensor.reason(now), now)
            self._changes.append(change)
            sensor.reported = state

    def _sensor(self, name: str, modality: Modality, now: int) -> TrackedSensor:
        self._check_clock(now)
        known = self._sensors.get(name)
        if known is not None:
            known.know(modality)
            return known
        if len(self._sensors) >= _MAX_SENSORS:
            del self._sensors[self._least_missed(now)]
        new = TrackedSensor(name, modality, self._timeouts, now, muted=name in self._muted)
        self._sensors = dict(sorted({**self._sensors, name: new}.items()))
        return new

    def _least_missed(self, now: int) -> str:
        def missed(sensor: TrackedSensor) -> tuple[bool, int]:
            return sensor.state(now) is not SensorState.LOST, sensor.last_arrival

        return min(self._sensors.values(), key=missed).name
