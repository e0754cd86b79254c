"""Stamps that cannot be trusted: every stream goes on, in bounded memory, and recovers."""

from __future__ import annotations

import pickle
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sensor_messages import MS, SECOND, T0, event_array, event_packet, imu

from omnibind_ros.modalities.event import preprocessing as event_preprocessing
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import encode_evt3
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.registry import make_preprocessor
from omnibind_ros.modalities.stream_clock import StreamClock

PERIOD = 10 * MS
RNG = np.random.default_rng(0)


def burst(begin: int, count: int = 30) -> Events:
    """Events within 10 ms from `begin` on."""
    x, y = RNG.integers(0, 34, (2, count)).astype(np.uint16)
    return Events(x, y, begin + np.arange(count) * PERIOD // count, RNG.random(count) < 0.5, 34, 34)


Stamp = Callable[[float], float]
"""The stamp, in ns, of a moment, counted in messages."""


class Driver:
    """Messages 10 ms apart, the n-th of which measures the n-th moment, whatever stamp it has.

    Deserialising takes long, so a thousand messages are made once, and their stamps are overwritten.
    """

    def __init__(self, preprocessing: dict[str, Any], make: Callable[[int], Any], quiet: Any = None) -> None:
        self.preprocessing = preprocessing
        self._recorded = [make(n) for n in range(1000)]
        self._quiet = quiet

    def preprocessor(self) -> Preprocessor:
        return make_preprocessor("sensor", self.preprocessing)

    def message(self, n: int, stamp: Stamp, quiet: bool = False) -> Any:
        message = self._quiet if quiet and self._quiet else self._recorded[n % 1000]
        for time, moment in self._times(message):
            latest = (2**31 - 1) * SECOND
            time.sec, time.nanosec = divmod(min(max(int(stamp(n + moment)), 0), latest), SECOND)
        if hasattr(message, "seq"):
            message.seq = n
        return message

    @staticmethod
    def _times(message: Any) -> list[tuple[Any, float]]:
        if hasattr(message, "encoding") or not hasattr(message, "events"):
            return [(message.header.stamp, 0)]
        events = [(e.ts, i / len(message.events)) for i, e in enumerate(message.events)]
        return [(message.header.stamp, 0), *events]


DRIVERS = {
    "series": Driver(
        {"adaptor": "series", "channels": 6, "rate": 50, "window_s": 1.0, "hop_s": 0.1},
        lambda n: imu(np.sin(n / np.arange(5, 11))),
    ),
    "event packets": Driver(
        {"adaptor": "event"}, lambda n: event_packet(encode_evt3(burst(n * PERIOD))), event_packet(b"")
    ),
    "event arrays": Driver(
        {"adaptor": "event"}, lambda n: event_array(burst(n * PERIOD)), event_array(burst(0, 0))
    ),
}


def good(n: float) -> float:
    return T0 + n * PERIOD


FAULTS: dict[str, Stamp] = {
    "stand still": lambda n: T0,
    "microseconds": lambda n: good(n) / 1000,
    "milliseconds": lambda n: good(n) / 1_000_000,
    "a thousand times too fast": lambda n: T0 / 1000 + n * PERIOD * 1000,
    "unset": lambda n: 0,
    "run backwards": lambda n: T0 - n * PERIOD,
}


@pytest.fixture(params=DRIVERS)
def driver(request) -> Driver:
    return DRIVERS[request.param]


@pytest.fixture(autouse=True, scope="module")
def few_events():
    """A small bound on memory, so that a test reaches it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_preprocessing, "_MOST_EVENTS", 10_000)
        yield


@pytest.mark.parametrize("stamp", FAULTS.values(), ids=FAULTS)
def test_a_driver_with_faulty_stamps_yields_samples_all_the_same(driver, stamp):
    preprocessor = driver.preprocessor()
    samples = []
    for n in range(600):
        received = T0 + n * PERIOD
        for sample in preprocessor.feed(driver.message(n, stamp), received):
            if n >= 300:
                samples.append(sample)
                assert abs(sample.stamp - received) <= 2 * PERIOD
    assert 28 <= len(samples) <= 31
    assert all(sample.quality > 0.5 for sample in samples)
    if stamp(1):
        assert "time of receipt is used" in preprocessor.stamp_fault
        assert {sample.reason for sample in samples} == {preprocessor.stamp_fault}


def test_a_series_timed_by_receipt_is_the_series():
    driver = DRIVERS["series"]
    right, wrong = driver.preprocessor(), driver.preprocessor()
    for n in range(500):
        received = T0 + n * PERIOD
        expected = right.feed(driver.message(n, good), received)
        found = wrong.feed(driver.message(n, FAULTS["stand still"]), received)
        if n > 300 and expected:
            np.testing.assert_allclose(found[0].data, expected[0].data, atol=0.05)
    assert right.stamp_fault == ""


@pytest.mark.parametrize("fault", ["stand still", "microseconds"])
def test_memory_does_not_grow_while_no_window_is_full(driver, fault):
    preprocessor = driver.preprocessor()
    tracemalloc.start()
    try:
        sizes = []
        for n in range(2401):
            preprocessor.feed(driver.message(n, FAULTS[fault]))
            if n in (1200, 2400):
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] - sizes[0] < 120_000
    assert sizes[1] < 3_000_000


stamps = st.one_of(
    st.sampled_from([good, *FAULTS.values()]),
    st.integers(0, 2**62).map(lambda seed: lambda n: hash((seed, n)) % 2**62),
    st.integers(-3, 60).map(lambda hours: lambda n: good(n) + hours * 3600 * SECOND),
)
stretches = st.lists(st.tuples(stamps, st.booleans(), st.integers(1, 1200)), max_size=4)


@pytest.mark.parametrize("name", DRIVERS)
@given(stretches=stretches, known=st.booleans())
@example(stretches=[(good, False, 129), (good, True, 72)], known=False)  # quiet for longer than a window
@settings(max_examples=40)
def test_whatever_the_stamps_were_memory_is_bounded_and_good_ones_yield_samples_again(name, stretches, known):
    driver = DRIVERS[name]
    preprocessor = driver.preprocessor()
    n = 0

    def feed(stamp: Stamp, quiet: bool = False) -> list[Any]:
        nonlocal n
        n += 1
        return preprocessor.feed(driver.message(n, stamp, quiet), T0 + n * PERIOD if known else 0)

    for stamp, quiet, count in stretches:
        for _ in range(count):
            feed(stamp, quiet)
        assert len(pickle.dumps(preprocessor)) < 700_000
    within = (2 * SECOND + SECOND + 200 * MS) // PERIOD  # two observations, a window, two hops
    samples = [sample for _ in range(within + 100) for sample in feed(good)]
    assert sum(sample.quality > 0.5 for sample in samples) >= 9
    assert preprocessor.stamp_fault == ""


def test_a_bag_that_ends_quietly_yields_samples_in_its_next_loop():
    preprocessor = make_preprocessor("event")
    moving = [encode_evt3(burst(n * PERIOD)) for n in range(60)]
    loop = [(n, data) for n, data in enumerate(moving + [b""] * 90)]
    for turn in range(3):
        samples = [
            sample
            for n, data in loop
            for sample in preprocessor.feed(
                event_packet(data, T0 + n * PERIOD, n), T0 + (n + turn * len(loop)) * PERIOD
            )
        ]
        assert [s.quality > 0 for s in samples].count(True) >= 3, f"loop {turn}"


def test_a_looping_bag_and_a_pause_are_no_fault():
    clock = StreamClock(500 * MS)
    received = T0
    for turn in range(3):
        for n in range(300):
            received += PERIOD if n != 150 else 10 * SECOND
            assert clock.time(T0 + n * PERIOD, received) == T0 + n * PERIOD
        assert clock.fault == "", turn


@pytest.mark.parametrize("speed", [0.1, 0.5, 2, 20])
def test_a_bag_played_faster_or_slower_is_no_fault(speed):
    clock = StreamClock(500 * MS)
    for n in range(1000):
        clock.time(T0 + n * PERIOD, T0 + round(n * PERIOD / speed))
    assert clock.fault == ""


def test_messages_that_arrive_or_are_stamped_in_bursts_are_no_fault():
    arrival, stamping = StreamClock(500 * MS), StreamClock(500 * MS)
    for n in range(1000):
        steady, jumps = T0 + n * PERIOD, T0 + n // 20 * 20 * PERIOD
        arrival.time(steady, jumps)
        stamping.time(jumps, steady)
    assert arrival.fault == stamping.fault == ""
