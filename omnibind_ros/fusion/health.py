"""Which sensors are faulty: from the probability of being healthy to a decision, its reason, and back.

A sensor is faulty when it has been unhealthy for `faulty_after_s` and another one is healthy; it is fused
again when it has been healthy for `probation_s`. Three things speak against a sensor:

    contradiction   the other healthy sensors show something else at the same moments (`agreement.py`)
    standstill      its embeddings do not change while other sensors change their class, again and again
    lateness        it shows the classes that another sensor has shown before, when that began to be true

Nothing but a standstill is no fault: a camera may look at a still scene for hours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from omnibind_ros.config.robot import MemoryConfig
from omnibind_ros.fusion.agreement import Agreement, Verdict
from omnibind_ros.fusion.track import Track

_SECOND = 1_000_000_000
_PER_CHANGE = 2.0
"""Log-odds that each change of the others speaks against a sensor at a standstill."""

_PER_LATE_CHANGE = 3.0
"""Log-odds that each late change but the first, which may be chance, speaks against a sensor."""

_LATEST_CHANGES = 4
_MOST_LATE = 5_000_000_000
_ONE_SCENE = 1_500_000_000
"""ns within which changes of several sensors are one change of the scene."""

_GRACE = 300_000_000
"""ns by which sensors may notice the same change apart."""

_UNHEALTHY, _HEALTHY = 0.1, 0.5
_LIKELY = 0.05
"""Sets of healthy sensors of this probability are kept apart in the answer."""

_SURE, _UNSURE = 0.8, 0.5
"""Mean probability of the best class above which a sensor is sure, and below which it shows little."""

SETTLED = 0.9
"""It is open which sensors are right when two sets exclude each other and none is as likely as this."""


@dataclass
class _Record:
    faulty_since: int | None = None
    reason: str = ""
    turning_since: int | None = None
    """since when its health has spoken for the other state"""


class HealthMonitor:
    """Health of the sensors of a scene memory.

    Attributes:
        config: may be replaced at any time.
        stuck_after_s: how long embeddings must stand still before a missed change counts.
    """

    def __init__(self, config: MemoryConfig, stuck_after_s: float = 5.0) -> None:
        self.config = config
        self.stuck_after_s = stuck_after_s
        self._agreement = Agreement(config.health_forget_s)
        self._records: dict[str, _Record] = {}
        self._verdict = Verdict({}, ((frozenset(), 1.0),))
        self._still: dict[str, int] = {}
        self._late: dict[str, tuple[int, float]] = {}
        self._unsure: set[str] = set()

    def compare(self, sensor: str, tracks: Mapping[str, Track]) -> None:
        """Take in the newest sample of a sensor; `tracks` are those that may be compared with it."""
        self._agreement.forget_s = self.config.health_forget_s
        self._agreement.compare(sensor, tracks)

    def judge(self, tracks: Mapping[str, Track], may_stand_still: Collection[str], now: int) -> None:
        """Bring the verdict up to date.

        Args:
            tracks: of the sensors that send; the others keep their state.
            may_stand_still: sensors whose repetitions are normal.
        """
        self._still = {
            sensor: 0 if sensor in may_stand_still else self._changes_missed(sensor, tracks)
            for sensor in tracks
        }
        self._late = {sensor: self._late_changes(sensor, tracks) for sensor in tracks}
        against = {
            s: _PER_CHANGE * missed + _PER_LATE_CHANGE * max(0, self._late[s][0] - 1)
            for s, missed in self._still.items()
        }
        surest = max(track.sureness for track in tracks.values())
        self._unsure = {s for s, track in tracks.items() if track.sureness < _UNSURE and surest > _SURE}
        self._verdict = self._agreement.judge(sorted(tracks), against, _LIKELY)
        healthy = {s for s, health in self._verdict.health.items() if health > _HEALTHY}
        trusted = any(self._record(s).faulty_since is None for s in healthy)
        for sensor, health in self._verdict.health.items():
            record = self._record(sensor)
            if not trusted and sensor in healthy:
                record.faulty_since = record.turning_since = None  # no other sensor is left: no probation
            self._decide(record, health, bool(healthy), now)
            if record.faulty_since is not None and health < _HEALTHY:
                record.reason = self._reason(sensor, tracks)

    def health(self, sensor: str) -> float:
        """Probability that the sensor is healthy; 1 if nothing is known."""
        return self._verdict.health.get(sensor, 1.0)

    def fault(self, sensor: str, now: int) -> str:
        """Why the sensor is faulty and for how long; "" if it is not."""
        record = self._records.get(sensor)
        if record is None or record.faulty_since is None:
            return ""
        lasts = f"faulty for {(now - record.faulty_since) / _SECOND:.0f} s"
        if record.turning_since is None:
            return f"{record.reason}; {lasts}"
        agreed = (now - record.turning_since) / _SECOND
        return f"on probation: agrees again, {agreed:.0f} of {self.config.probation_s:g} s; {lasts}"

    def warning(self, sensor: str) -> str:
        """What is wrong with a sensor that is fused all the same; "" = nothing."""
        return "shows little while other sensors are sure" if sensor in self._unsure else ""

    def hypotheses(self, sensors: Collection[str]) -> list[tuple[frozenset[str], float]]:
        """Likely sets of healthy sensors among `sensors`, and their probabilities."""
        merged: dict[frozenset[str], float] = {}
        for healthy, probability in self._verdict.sets:
            among = frozenset(s for s in sensors if s in healthy or s not in self._verdict.health)
            merged[among] = merged.get(among, 0.0) + probability
        return list(merged.items())

    def dispute(self, sensors: Collection[str]) -> str:
        """Which sensors contradict each other, if it is open which are right; else ""."""
        sets = sorted(self.hypotheses(sensors), key=lambda one: -one[1])
        likeliest, probability = sets[0]
        if probability >= SETTLED or all(s <= likeliest or s >= likeliest for s, _ in sets):
            return ""
        rest, groups = sorted(sensors), []
        while rest:
            group = [s for s in rest if s == rest[0] or self._agreement.ratio(rest[0], s) > -1.0]
            groups.append(" and ".join(group))
            rest = [s for s in rest if s not in group]
        return " contradicts ".join(groups) if len(groups) > 1 else ""

    def forget(self, sensor: str) -> None:
        """The sensor is unknown from now on."""
        self._records.pop(sensor, None)
        self._agreement.forget(sensor)

    def _changes_missed(self, sensor: str, tracks: Mapping[str, Track]) -> int:
        """How often the scene has changed, as others saw it, while the sensor's embeddings have not."""
        own = tracks[sensor]
        if own.began - own.still_since < self.stuck_after_s * _SECOND:
            return 0
        seen = sorted(
            change.at
            for other, track in tracks.items()
            if other != sensor
            for change in track.changes
            if own.still_since <= change.after and change.at < own.began - _GRACE
        )
        count, last = 0, 0
        for at in seen:
            if at - last > _ONE_SCENE:
                count, last = count + 1, at
        return count

    def _late_changes(self, sensor: str, tracks: Mapping[str, Track]) -> tuple[int, float]:
        """How many more of its latest changes were late than timely, and by how many seconds at least."""
        balance, lateness = 0, 0.0
        for change in list(tracks[sensor].changes)[-_LATEST_CHANGES:]:
            lags = [
                change.after - seen.at
                for other, track in tracks.items()
                if other != sensor
                for seen in track.changes
                if (seen.old, seen.new) == (change.old, change.new) and abs(change.at - seen.at) < _MOST_LATE
            ]
            if lags:
                late = max(lags) > _GRACE
                balance += 1 if late else -1
                lateness = max(lags) / _SECOND if late else lateness
        return balance, lateness

    def _record(self, sensor: str) -> _Record:
        return self._records.setdefault(sensor, _Record())

    def _decide(self, record: _Record, health: float, others_healthy: bool, now: int) -> None:
        faulty = record.faulty_since is not None
        turns = health > _HEALTHY if faulty else health < _UNHEALTHY and others_healthy
        if not turns:
            record.turning_since = None
            return
        if record.turning_since is None:
            record.turning_since = now
        wait_s = self.config.probation_s if faulty else self.config.faulty_after_s
        if now - record.turning_since >= wait_s * _SECOND:
            record.faulty_since = None if faulty else now
            record.turning_since = None

    def _reason(self, sensor: str, tracks: Mapping[str, Track]) -> str:
        missed = self._still.get(sensor, 0)
        if missed:
            own = tracks[sensor]
            still_s = (own.ended - own.still_since) / _SECOND
            times = "once" if missed == 1 else f"{missed} times"
            return f"stuck: its embeddings have not changed for {still_s:.0f} s; the scene has, {times}"
        late, lateness = self._late.get(sensor, (0, 0.0))
        if late > 0:
            return f"late: it shows changes of the scene {lateness:.1f} s after other sensors"
        healthy = [s for s in sorted(tracks) if s != sensor and self.health(s) > _HEALTHY]
        against = [s for s in healthy if self._agreement.ratio(sensor, s) < 0]
        return f"contradicts {' and '.join(against or healthy)}"
