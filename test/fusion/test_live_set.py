"""The live set: which sensors are fused, and why the others are not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fusion_samples import SECOND, SPACE, START, embedding, seconds, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from omnibind_ros.config.robot import Freshness
from omnibind_ros.fusion.live_set import LiveSet
from omnibind_ros.fusion.tracked_sensor import Timeouts
from omnibind_ros.types import Embedding, SensorState, SensorStatus

LIVE, STALE, LOST, MUTED, FAULTY = (
    SensorState.LIVE,
    SensorState.STALE,
    SensorState.LOST,
    SensorState.MUTED,
    SensorState.FAULTY,
)


@pytest.fixture
def live_set() -> LiveSet:
    return LiveSet(SPACE)


def status(live_set: LiveSet, now: int, sensor: str = "camera") -> SensorStatus:
    return next(s for s in live_set.statuses(now) if s.sensor == sensor)


def names(live_set: LiveSet, now: int) -> list[str]:
    return [e.sensor for e in live_set.live(now)]


def feed(live_set: LiveSet, start: int, period: float, count: int) -> int:
    """`count` embeddings, one each period; returns when the last arrived."""
    for index in range(count):
        now = start + seconds(period * index)
        assert live_set.update(embedding(stamp=now), now)
    return now


# Fresh, stale, lost


def test_a_sensor_is_live_until_exactly_its_time_out(live_set: LiveSet) -> None:
    assert live_set.update(embedding(), START)
    assert names(live_set, START + seconds(0.5) - 1) == ["camera"]
    assert names(live_set, START + seconds(0.5)) == []
    assert status(live_set, START + seconds(0.5)).state is STALE
    assert status(live_set, START + seconds(10.5) - 1).state is STALE
    assert status(live_set, START + seconds(10.5)).state is LOST


def test_next_expiry_is_the_instant_the_first_live_sensor_goes_stale(live_set: LiveSet) -> None:
    assert live_set.next_expiry(START) is None
    live_set.update(embedding("camera", START), START)
    live_set.update(embedding("mic", START, "audio"), START)
    live_set.update(embedding("operator", START, "text"), START)
    assert live_set.next_expiry(START) == START + seconds(0.5)
    assert live_set.next_expiry(START + seconds(0.5)) == START + seconds(1.5)
    assert live_set.next_expiry(START + seconds(1.5)) == START + seconds(30)
    assert names(live_set, START + seconds(30) - 1) == ["operator"]
    assert live_set.next_expiry(START + seconds(30)) is None


def test_text_ends_half_a_minute_after_its_message(live_set: LiveSet) -> None:
    for number in range(5):
        now = START + seconds(2.0 * number)
        live_set.update(embedding("operator", now, "text"), now)
    assert names(live_set, now + seconds(30) - 1) == ["operator"]
    assert names(live_set, now + seconds(30)) == []
    assert status(live_set, now + seconds(30), "operator").state is STALE


def test_text_may_be_held_until_it_is_replaced() -> None:
    live_set = LiveSet(SPACE, Freshness(hold_s={"text": math.inf}))
    live_set.update(embedding("operator", START, "text"), START)
    later = START + seconds(86400)
    assert status(live_set, later, "operator").state is LIVE
    newer = embedding("operator", later, "text")
    live_set.update(newer, later)
    assert live_set.live(later) == (newer,)


def test_a_finite_hold_replaces_the_time_out() -> None:
    live_set = LiveSet(SPACE, Freshness(hold_s={"image": 2.0}))
    last = feed(live_set, START, 1.0, 6)
    assert live_set.next_expiry(last) == last + seconds(2.0)


def test_a_slow_sensor_is_live_for_three_of_its_periods(live_set: LiveSet) -> None:
    last = feed(live_set, START, 1.0, 5)
    assert live_set.next_expiry(last) == last + seconds(3.0)
    assert status(live_set, last).rate_hz == pytest.approx(1.0)


def test_one_pause_does_not_stretch_the_time_out(live_set: LiveSet) -> None:
    live_set.update(embedding(stamp=START), START)
    now = START + seconds(9)
    live_set.update(embedding(stamp=now), now)
    assert live_set.next_expiry(now) == now + seconds(0.5)

    last = feed(live_set, START + seconds(20), 0.1, 6)
    resumed = last + seconds(8)
    live_set.update(embedding(stamp=resumed), resumed)
    assert live_set.next_expiry(resumed) == resumed + seconds(0.5)


def test_rate_is_measured_from_two_embeddings_on_and_zero_when_lost(live_set: LiveSet) -> None:
    assert live_set.update(embedding(stamp=START), START)
    assert status(live_set, START).rate_hz == 0.0
    last = feed(live_set, START + seconds(0.1), 0.1, 1)
    assert status(live_set, last).rate_hz == pytest.approx(10.0)
    assert status(live_set, last + seconds(60)).rate_hz == 0.0


def test_the_newest_embedding_replaces_the_one_before(live_set: LiveSet) -> None:
    first, second = embedding(stamp=START), embedding(stamp=START + 1)
    live_set.update(first, START)
    live_set.update(second, START + 1)
    assert live_set.live(START + 2) == (second,)


def test_late_delivery_counts_into_the_age(live_set: LiveSet) -> None:
    live_set.update(embedding(stamp=START), START + seconds(0.4))
    assert status(live_set, START + seconds(0.4)).age_s == pytest.approx(0.4)
    assert names(live_set, START + seconds(0.5)) == []


@given(st.permutations(["audio_front", "camera", "depth", "mic", "skin", "z"]))
def test_order_is_by_name_whatever_the_order_of_arrival(order: list[str]) -> None:
    live_set = LiveSet(SPACE)
    for index, name in enumerate(order):
        live_set.update(embedding(name, START + index), START + index)
    assert names(live_set, START + 10) == sorted(order)
    assert [s.sensor for s in live_set.statuses(START + 10)] == sorted(order)


# Coming and going


def test_appear_then_first_embedding(live_set: LiveSet) -> None:
    live_set.appear("camera", "", START)
    assert status(live_set, START).state is STALE
    assert status(live_set, START).age_s is None
    live_set.update(embedding(stamp=START + 1), START + 1)
    assert status(live_set, START + 1).state is LIVE
    assert status(live_set, START + 1).modality == "image"


def test_an_encoder_that_never_sends_is_lost_after_a_while(live_set: LiveSet) -> None:
    live_set.appear("camera", "image", START)
    assert status(live_set, START + seconds(11)).state is LOST


def test_withdrawal_takes_effect_at_once_and_the_next_embedding_brings_it_back(live_set: LiveSet) -> None:
    live_set.update(embedding(stamp=START), START)
    live_set.withdraw("camera", START + 1)
    assert names(live_set, START + 1) == []
    assert status(live_set, START + 1).state is LOST
    assert "no valid input" in status(live_set, START + 1).reason
    live_set.update(embedding(stamp=START + 2), START + 2)
    assert names(live_set, START + 2) == ["camera"]


def test_leave_gives_its_reason_and_the_old_embedding_never_returns(live_set: LiveSet) -> None:
    old = embedding(stamp=START)
    live_set.update(old, START)
    live_set.leave("camera", START + 1, "its process was killed")
    assert status(live_set, START + 1).state is LOST
    assert status(live_set, START + 1).reason == "its process was killed"
    live_set.appear("camera", "image", START + 2)
    assert status(live_set, START + 2).state is STALE
    assert not live_set.update(old, START + 3), "a leftover kept by the network"
    assert names(live_set, START + 3) == []
    live_set.update(embedding(stamp=START + 4), START + 4)
    assert names(live_set, START + 4) == ["camera"]


def test_withdrawal_of_an_unknown_sensor_shows_it_and_leave_does_not(live_set: LiveSet) -> None:
    live_set.withdraw("camera", START)
    live_set.leave("mic", START)
    assert [(s.sensor, s.state) for s in live_set.statuses(START)] == [("camera", LOST)]


# Faults


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ({"vector": np.full(SPACE.dim, np.nan, np.float32)}, "finite"),
        ({"vector": unit(1, dim=8)}, "shape"),
        ({"vector": unit(1) * 3}, "norm"),
        ({"space": SPACE.tag ^ 1}, "space"),
        ({"quality": math.nan}, "finite"),
        ({"evidence": math.inf}, "finite"),
    ],
)
def test_an_invalid_embedding_is_a_counted_fault_until_a_valid_one(
    live_set: LiveSet, broken: dict[str, object], says: str
) -> None:
    live_set.update(embedding(stamp=START), START)
    live_set.update(embedding("mic", START, "audio"), START)
    assert not live_set.update(embedding(stamp=START + 1, **broken), START + 1)  # type: ignore[arg-type]
    faulty = status(live_set, START + 1)
    assert (faulty.state, faulty.rejected) == (FAULTY, 1)
    assert says in faulty.reason
    assert names(live_set, START + 1) == ["mic"], "nothing else is disturbed"
    assert live_set.update(embedding(stamp=START + 2), START + 2)
    assert status(live_set, START + 2).state is LIVE
    assert status(live_set, START + 2).rejected == 1


def test_a_message_that_cannot_be_decoded_is_a_fault(live_set: LiveSet) -> None:
    live_set.update(embedding(stamp=START), START)
    live_set.reject("camera", "cut short", START + 1)
    assert status(live_set, START + 1).state is FAULTY
    assert status(live_set, START + 1).reason == "cut short"
    assert status(live_set, START + 1).rejected == 1
    live_set.update(embedding(stamp=START + 2), START + 2)
    assert status(live_set, START + 2).state is LIVE


def test_a_faulty_sensor_that_falls_silent_is_lost(live_set: LiveSet) -> None:
    live_set.reject("camera", "cut short", START)
    later = START + seconds(11)
    assert status(live_set, later).state is LOST
    assert "cut short" in status(live_set, later).reason


def test_the_same_stamp_again_is_refused_but_no_fault(live_set: LiveSet) -> None:
    live_set.update(embedding(stamp=START), START)
    assert not live_set.update(embedding(stamp=START), START + 1)
    assert status(live_set, START + 1).state is LIVE
    assert status(live_set, START + 1).rejected == 1
    assert "1 with the stamp of the last" in status(live_set, START + seconds(1)).reason


def test_a_stamp_slightly_older_is_a_fault_until_a_newer_one(live_set: LiveSet) -> None:
    live_set.update(embedding(stamp=START), START)
    assert not live_set.update(embedding(stamp=START - seconds(1)), START + 1)
    assert status(live_set, START + 1).state is FAULTY
    assert live_set.update(embedding(stamp=START + 1), START + 2)
    assert names(live_set, START + 2) == ["camera"]


def test_a_looping_bag_starts_afresh_and_stays_live(live_set: LiveSet) -> None:
    """A bag of 5 s recorded just now: after the first loop its stamps are 5 s and more behind the clock."""
    now = START
    for loop in range(3):
        for index in range(50):
            assert live_set.update(embedding(stamp=START + seconds(0.1 * index)), now)
            assert status(live_set, now).state is LIVE, (loop, index)
            now += seconds(0.1)
    assert "age counts from receipt" in status(live_set, now - 1).reason
    assert names(live_set, now + seconds(0.5)) == []


def test_stamps_from_the_future_count_from_receipt(live_set: LiveSet) -> None:
    live_set.update(embedding(stamp=START + seconds(30)), START)
    assert "30.0 s ahead of" in status(live_set, START).reason
    assert status(live_set, START).age_s == 0
    assert names(live_set, START + seconds(0.5) - 1) == ["camera"]
    assert names(live_set, START + seconds(0.5)) == []


def test_stamps_of_another_clock_count_from_receipt_once_they_go_on(live_set: LiveSet) -> None:
    behind = START - seconds(3600)
    live_set.update(embedding(stamp=behind), START)
    assert names(live_set, START) == [], "the first could be a leftover of an hour ago"
    live_set.update(embedding(stamp=behind + SECOND), START + SECOND)
    assert names(live_set, START + SECOND) == ["camera"]
    assert "3600.0 s behind" in status(live_set, START + SECOND).reason
    live_set.update(embedding(stamp=START + 2 * SECOND), START + 2 * SECOND)
    assert status(live_set, START + 2 * SECOND).reason == "fresh"


def test_an_embedding_that_arrives_too_late_is_stale_with_the_delay_as_reason(live_set: LiveSet) -> None:
    assert live_set.update(embedding(stamp=START), START + seconds(2))
    assert status(live_set, START + seconds(2)).state is STALE
    assert "arrived 2.0 s late" in status(live_set, START + seconds(2)).reason


def test_bit_identical_embeddings_are_no_fault(live_set: LiveSet) -> None:
    """A noiseless camera may look at a still scene for as long as it likes."""
    for index in range(100):
        now = START + seconds(0.25 * index)
        assert live_set.update(embedding(stamp=now, vector=unit(7)), now)
    assert names(live_set, now) == ["camera"]


def test_a_distrusted_sensor_is_faulty_with_the_reason_until_it_is_trusted_again(live_set: LiveSet) -> None:
    live_set.update(embedding(stamp=START), START)
    live_set.distrust("camera", "contradicts touch", START)
    assert names(live_set, START) == []
    assert status(live_set, START).state is FAULTY
    assert status(live_set, START).reason == "contradicts touch"
    assert status(live_set, START + seconds(5)).state is STALE
    assert live_set.update(embedding(stamp=START + 1), START + 1)
    assert names(live_set, START + 1) == []
    live_set.distrust("camera", "", START + 1)
    assert names(live_set, START + 1) == ["camera"]
    live_set.distrust("nobody", "unknown names are ignored", START + 1)


def test_the_same_embedding_before_and_after_a_pause_is_not_stuck(live_set: LiveSet) -> None:
    live_set.update(embedding(stamp=START, vector=unit(7)), START)
    now = START + seconds(6)
    assert live_set.update(embedding(stamp=now, vector=unit(7)), now)
    assert names(live_set, now) == ["camera"]


def test_text_may_repeat_itself(live_set: LiveSet) -> None:
    for index in range(100):
        now = START + seconds(0.1 * index)
        assert live_set.update(embedding("operator", now, "text", vector=unit(7)), now)
    assert names(live_set, now) == ["operator"]


# Muting, clocks, memory


def test_a_muted_sensor_is_not_fused_and_comes_back_at_once(live_set: LiveSet) -> None:
    live_set.mute(["camera", "nobody_yet"])
    live_set.update(embedding(stamp=START), START)
    assert names(live_set, START) == []
    assert status(live_set, START).state is MUTED
    assert live_set.next_expiry(START) is None
    live_set.mute([])
    assert names(live_set, START) == ["camera"]


def test_nothing_is_live_from_the_future_of_a_clock_that_jumped_back() -> None:
    live_set = LiveSet(SPACE, Freshness(hold_s={"text": math.inf}))
    feed(live_set, START, 0.1, 5)
    live_set.update(embedding("operator", START, "text"), START)
    back = START - seconds(60)
    assert names(live_set, back) == []
    assert "jumped" in status(live_set, back).reason
    live_set.advance(back)
    assert names(live_set, back) == ["operator"], "held until replaced, whatever the clock says"
    assert names(live_set, START + SECOND) == ["operator"], "what was forgotten does not return"
    assert live_set.update(embedding(stamp=back), back)
    assert names(live_set, back) == ["camera", "operator"]
    assert status(live_set, back).reason == "fresh"


def test_reset_forgets_embeddings_but_not_sensors(live_set: LiveSet) -> None:
    live_set.update(embedding(stamp=START), START)
    live_set.reset(START)
    assert names(live_set, START) == []
    assert "clock jumped" in status(live_set, START).reason
    assert live_set.update(embedding(stamp=START - seconds(0.4)), START)
    assert names(live_set, START) == ["camera"]


def test_a_name_that_changes_its_modality_starts_afresh(live_set: LiveSet) -> None:
    last = feed(live_set, START, 2.0, 5)
    live_set.update(embedding("camera", last + 1, "thermal"), last + 1)
    assert status(live_set, last + 1).modality == "thermal"
    assert live_set.next_expiry(last + 1) == last + 1 + seconds(0.5)


def test_memory_is_bounded_and_the_longest_lost_goes_first(live_set: LiveSet) -> None:
    live_set.update(embedding("here", START + 300, "text"), START + 300)
    for index in range(400):
        live_set.appear(f"s{index}", "image", START + index)
        live_set.leave(f"s{index}", START + index)
    known = [s.sensor for s in live_set.statuses(START + 400)]
    assert len(known) == 256
    assert "here" in known
    assert "s399" in known
    assert "s0" not in known
    for index in range(3000):
        live_set.reject(f"flood{index}", "noise", START + 400)
    assert len(live_set.statuses(START + 400)) == 256
    assert len(live_set.advance(START + 400)) <= 1024


# Changes


def test_changes_are_reported_once_in_order_with_time_and_reason(live_set: LiveSet) -> None:
    live_set.appear("camera", "image", START)
    live_set.update(embedding(stamp=START + 1), START + 1)
    live_set.reject("camera", "cut short", START + 2)
    live_set.update(embedding(stamp=START + 3), START + 3)
    late = START + seconds(2)
    seen = [(c.sensor, c.modality, c.before, c.after, c.when) for c in live_set.advance(late)]
    assert seen == [
        ("camera", "image", None, STALE, START),
        ("camera", "image", STALE, LIVE, START + 1),
        ("camera", "image", LIVE, FAULTY, START + 2),
        ("camera", "image", FAULTY, LIVE, START + 3),
        ("camera", "image", LIVE, STALE, late),
    ]
    assert live_set.advance(late) == ()
    live_set.mute(["camera"])
    (muted,) = live_set.advance(late)
    assert (muted.after, muted.reason) == (MUTED, "muted by parameter")


# Anything in any order

SENSORS = {"camera": "image", "mic": "audio", "operator": "text", "skin": "touch", "depth": "point_cloud"}
sensors = st.sampled_from(sorted(SENSORS))
durations = st.one_of(st.integers(0, seconds(0.3)), st.integers(0, seconds(20)))


class LiveSetMachine(RuleBasedStateMachine):
    """Random lives of five sensors against a plain account of what each last did."""

    def __init__(self) -> None:
        super().__init__()
        self.live_set = LiveSet(SPACE, Freshness(hold_s={"text": math.inf}))
        self.now = START
        self.newest: dict[str, int] = {}
        self.born: dict[str, int] = {}
        self.usable: dict[str, Embedding] = {}
        self.muted: set[str] = set()
        self.states: dict[str, SensorState] = {}

    def accept(self, sensor: str, stamp: int, *, born: tuple[int, ...]) -> None:
        made = embedding(sensor, stamp, SENSORS[sensor])
        assert self.live_set.update(made, self.now)
        self.live_set.mute(self.muted - {sensor})
        (seen,) = (e for e in self.live_set.live(self.now) if e.sensor == sensor)
        self.live_set.mute(self.muted)
        assert seen.vector is made.vector
        assert seen.stamp in born
        self.newest[sensor], self.born[sensor], self.usable[sensor] = stamp, seen.stamp, made

    def forget(self) -> None:
        self.newest.clear()
        self.usable = {sensor: made for sensor, made in self.usable.items() if SENSORS[sensor] == "text"}
        self.born = {sensor: min(born, self.now) for sensor, born in self.born.items()}

    @rule(step=durations)
    def time_passes(self, step: int) -> None:
        self.now += step

    @rule(step=st.integers(seconds(2), seconds(100)))
    def clock_jumps_back(self, step: int) -> None:
        self.now -= step
        self.forget()
        self.look_at_changes()

    @rule(sensor=sensors, delay=st.integers(0, seconds(0.45)))
    def valid(self, sensor: str, delay: int) -> None:
        stamp = self.now - delay
        back = self.newest.get(sensor, stamp - 1) - stamp
        if back < 0 or back > SECOND:
            self.accept(sensor, stamp, born=(stamp,))
            return
        assert not self.live_set.update(embedding(sensor, stamp, SENSORS[sensor]), self.now)
        if back:
            self.usable.pop(sensor, None)

    @rule(sensor=sensors, ahead=st.integers(seconds(1), seconds(50)))
    def from_the_future(self, sensor: str, ahead: int) -> None:
        stamp = self.now + ahead
        back = self.newest.get(sensor, stamp - 1) - stamp
        if back < 0 or back > SECOND:
            self.accept(sensor, stamp, born=(self.now,))

    @precondition(lambda self: self.newest)
    @rule(sensor=sensors, back=st.integers(seconds(5), seconds(100)))
    def bag_loops(self, sensor: str, back: int) -> None:
        if sensor in self.newest:
            stamp = min(self.newest[sensor], self.now) - back
            # Of a slow sensor, stamps this old may just be late.
            self.accept(sensor, stamp, born=(self.now, stamp))

    @rule(sensor=sensors, kind=st.sampled_from(["nan", "size", "space", "undecodable"]))
    def invalid(self, sensor: str, kind: str) -> None:
        if kind == "undecodable":
            self.live_set.reject(sensor, "cut short", self.now, SENSORS[sensor])
        else:
            vector = {"nan": np.full(SPACE.dim, np.nan, np.float32), "size": unit(0, 8)}.get(kind)
            space = 0 if kind == "space" else SPACE.tag
            broken = embedding(sensor, self.now, SENSORS[sensor], vector, space)
            assert not self.live_set.update(broken, self.now)
        self.usable.pop(sensor, None)

    @rule(sensor=sensors, how=st.sampled_from(["withdraw", "leave"]))
    def goes(self, sensor: str, how: str) -> None:
        if how == "withdraw":
            self.live_set.withdraw(sensor, self.now, SENSORS[sensor])
        else:
            self.live_set.leave(sensor, self.now)
        self.usable.pop(sensor, None)

    @rule(sensor=sensors)
    def appears(self, sensor: str) -> None:
        self.live_set.appear(sensor, SENSORS[sensor], self.now)

    @rule(muted=st.sets(sensors, max_size=2))
    def mutes(self, muted: set[str]) -> None:
        self.live_set.mute(muted)
        self.muted = muted

    @rule()
    def resets(self) -> None:
        self.live_set.reset(self.now)
        self.forget()

    @invariant()
    def only_the_newest_usable_embedding_of_an_audible_sensor_is_fused(self) -> None:
        for made in self.live_set.live(self.now):
            assert made.vector is self.usable[made.sensor].vector
            assert made.stamp == self.born[made.sensor]
            assert made.sensor not in self.muted

    @invariant()
    def nobody_is_live_beyond_the_limit_and_nobody_is_dropped_before_it(self) -> None:
        live = [e.sensor for e in self.live_set.live(self.now)]
        assert live == sorted(live)
        freshness = self.live_set.freshness
        for line in self.live_set.statuses(self.now):
            assert (line.state is LIVE) == (line.sensor in live)
            if line.sensor not in self.usable or line.sensor in self.muted:
                continue
            age = self.now - self.born[line.sensor]
            timeouts = Timeouts(freshness, {})
            shortest = timeouts.of(line.modality)
            longest = timeouts.of(line.modality, seconds(1 / line.rate_hz) if line.rate_hz else 0)
            if line.state is LIVE:
                assert -seconds(0.1) <= age <= longest + 1000
            else:
                assert age >= shortest or age < -seconds(0.1)

    @invariant()
    def next_expiry_is_when_the_next_one_goes(self) -> None:
        live = self.live_set.live(self.now)
        expiry = self.live_set.next_expiry(self.now)
        if expiry is None:
            assert self.live_set.live(self.now + seconds(1e6)) == live
        else:
            assert expiry > self.now
            assert self.live_set.live(expiry - 1) == live
            assert len(self.live_set.live(expiry)) < len(live)

    @invariant()
    def changes_add_up_to_the_states(self) -> None:
        self.look_at_changes()
        assert self.states == {s.sensor: s.state for s in self.live_set.statuses(self.now)}

    def look_at_changes(self) -> None:
        for change in self.live_set.advance(self.now):
            assert self.states.get(change.sensor) is change.before
            assert change.before is not change.after
            assert change.reason
            self.states[change.sensor] = change.after


LiveSetMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestLiveSetMachine = LiveSetMachine.TestCase
