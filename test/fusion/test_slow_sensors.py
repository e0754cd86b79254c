"""A driver at any rate through the driver watch and the live set, in simulated time: nothing flickers."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from fusion_samples import SPACE, START, embedding, seconds
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.encoder.driver_watch import DriverTimeout, DriverWatch
from omnibind_ros.fusion.live_set import Change, LiveSet
from omnibind_ros.types import SensorState

LIVE, LOST = SensorState.LIVE, SensorState.LOST
LATENCY_S = 0.03


class Robot:
    """One driver, its encoder and fusion. Times are seconds from the start."""

    def __init__(self, modality: str = "image", live_set: LiveSet | None = None) -> None:
        self.watch = DriverWatch(DriverTimeout())
        self.live_set = live_set or LiveSet(SPACE)
        self.modality = modality
        self.changes: list[tuple[float, Change]] = []
        self._now = 0.0

    def message(self, at: float) -> None:
        """The driver sends a message, which is embedded and arrives a little later."""
        self.wait(at)
        self.watch.arrived(at)
        self.wait(at + LATENCY_S)
        stamp, now = START + seconds(at), START + seconds(self._now)
        assert self.live_set.update(embedding("sensor", stamp, self.modality), now)
        self._note()

    def wait(self, until: float) -> None:
        """Time passes, with everything that is due on its way."""
        while (due := self._next_due()) < until:
            self._now = due + 1e-6
            if self.watch.fell_silent(self._now):
                self.live_set.withdraw("sensor", START + seconds(self._now))
            self._note()
        self._now = max(self._now, until)

    def _next_due(self) -> float:
        patience = self.watch.patience(self._now)
        silent_at = float("inf") if patience is None else self._now + patience
        expiry = self.live_set.next_expiry(START + seconds(self._now))
        return min(silent_at, float("inf") if expiry is None else (expiry - START) / 1e9)

    def _note(self) -> None:
        self.changes += [(self._now, change) for change in self.live_set.advance(START + seconds(self._now))]


def jittered(rate: float, shifts: Sequence[float]) -> list[float]:
    return [(1 + number + shift) / rate for number, shift in enumerate(shifts)]


shifts = st.lists(st.floats(-0.2, 0.2), min_size=5, max_size=25)


@given(st.floats(0.2, 100), shifts)
def test_nothing_changes_from_the_third_message_to_the_last(rate: float, jitter: list[float]) -> None:
    robot, times = Robot(), jittered(rate, jitter)
    for time in times:
        robot.message(time)
    robot.wait(times[-1] + 1 / rate)
    late = [change for when, change in robot.changes if when > times[2] + LATENCY_S + 1e-6]
    assert late == [], "flickers"
    robot.wait(times[-1] + 100)
    (when, change), *_ = [(w, c) for w, c in robot.changes if w > times[2] + LATENCY_S + 1e-6]
    assert change.before is LIVE
    assert times[-1] + max(0.5, 1.7 / rate) < when < times[-1] + max(0.6, 4.3 / rate)


@pytest.mark.parametrize("rate", [0.2, 0.5, 1.0])
def test_a_slow_driver_is_live_for_good_from_its_third_message(rate: float) -> None:
    robot, times = Robot(), jittered(rate, [0.0] * 20)
    for time in times:
        robot.message(time)
    states = [change.after for _, change in robot.changes]
    assert states == [LIVE, LOST, LIVE, LOST, LIVE]


@given(st.floats(0.2, 100), st.integers(4, 12), st.integers(4, 12), st.floats(11, 500))
def test_a_pause_ends_in_time_and_does_not_stretch_the_next(
    rate: float, before: int, after: int, pause: float
) -> None:
    robot = Robot()
    for number in range(before + after):
        time = (1 + number) / rate + (max(pause, 4 / rate) if number >= before else 0)
        robot.message(time)
    robot.wait(time + 1000)
    ends = [when for when, change in robot.changes if change.before is LIVE][-2:]
    last = [before / rate, time]
    assert [end - at for end, at in zip(ends, last, strict=True)] == pytest.approx(
        [max(0.5, 3 / rate)] * 2, abs=1e-3
    )


@given(st.floats(0.3, 8), shifts)
def test_a_sensor_sampled_at_a_known_interval_never_flickers(hop: float, jitter: list[float]) -> None:
    """Its encoder embeds a window of its stream every hop, which may be as long as the minimal time-out."""
    live_set = LiveSet(SPACE, expected_periods={"imu": hop})
    seen: list[Change] = []
    for number, shift in enumerate(jitter):
        now = START + seconds((1 + number + shift) * hop)
        seen += live_set.advance(now - 1)
        assert live_set.update(embedding("sensor", now - seconds(LATENCY_S), "imu"), now)
        seen += live_set.advance(now)
    assert [change.after for change in seen] == [LIVE]
    assert live_set.next_expiry(now) is not None
    assert live_set.live(now + seconds(4.3 * hop + 0.5)) == ()
