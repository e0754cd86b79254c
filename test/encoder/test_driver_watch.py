from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.encoder.driver_watch import DriverTimeout, DriverWatch


def watch_at_rate(period: float, timeout: DriverTimeout, messages: int = 10) -> tuple[DriverWatch, float]:
    watch = DriverWatch(timeout)
    for i in range(messages):
        watch.arrived(i * period)
    return watch, (messages - 1) * period


def test_a_fast_driver_has_the_minimal_time():
    watch, last = watch_at_rate(0.01, DriverTimeout(min_s=0.5, periods=3))
    assert watch.period_s == pytest.approx(0.01)
    assert watch.patience(last + 0.1) == pytest.approx(0.4)
    assert not watch.fell_silent(last + 0.49)
    assert watch.fell_silent(last + 0.51)


def test_a_slow_driver_has_some_of_its_periods():
    watch, last = watch_at_rate(1.0, DriverTimeout(min_s=0.5, periods=3))
    assert not watch.fell_silent(last + 2.9)
    assert watch.fell_silent(last + 3.1)


def test_silence_is_told_once_and_ends_with_the_next_message():
    watch, last = watch_at_rate(0.1, DriverTimeout())
    assert watch.fell_silent(last + 1)
    assert not watch.alive
    assert not watch.fell_silent(last + 2)
    assert watch.patience(last + 2) is None
    watch.arrived(last + 100)
    assert watch.alive
    assert watch.period_s == pytest.approx(0.1), "the pause is not a period"
    assert watch.fell_silent(last + 101)


@given(st.floats(0.2, 100), st.lists(st.floats(-0.2, 0.2), min_size=4, max_size=30))
def test_from_the_third_message_on_a_driver_of_any_rate_is_alive_until_it_stops(rate, jitter):
    watch, period = DriverWatch(DriverTimeout(min_s=0.5, periods=3)), 1 / rate
    times = [(i + shift) * period for i, shift in enumerate(jitter)]
    for number, time in enumerate(times):
        assert not (number >= 3 and watch.fell_silent(time)), "silent although it goes on"
        watch.fell_silent(time)
        watch.arrived(time)
    assert not watch.fell_silent(times[-1] + max(0.49, 1.7 * period))
    assert watch.fell_silent(times[-1] + max(0.51, 4.3 * period))


@given(st.floats(0.2, 100), st.integers(3, 20), st.integers(1, 20), st.floats(0, 1000))
def test_one_pause_does_not_stretch_the_time_out(rate, before, after, pause):
    watch = DriverWatch(DriverTimeout(min_s=0.5, periods=3))
    for i in range(before + after):
        time = i / rate + (pause if i >= before else 0)
        watch.fell_silent(time)
        watch.arrived(time)
    assert watch.patience(time) == pytest.approx(max(0.5, 3 / rate))


def test_a_driver_that_was_never_heard_is_not_silent():
    watch = DriverWatch(DriverTimeout())
    assert watch.patience(1e9) is None
    assert not watch.fell_silent(1e9)


def test_a_driver_may_be_silent_for_ever():
    watch, last = watch_at_rate(0.1, DriverTimeout(math.inf))
    assert watch.patience(last) is None
    assert not watch.fell_silent(math.inf)
