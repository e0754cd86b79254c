from __future__ import annotations

import math

import pytest

from omnibind_ros.encoder.driver_watch import DriverTimeout, DriverWatch


def watch_at_rate(period: float, timeout: DriverTimeout, messages: int = 10) -> tuple[DriverWatch, float]:
    watch = DriverWatch(timeout)
    for i in range(messages):
        watch.heard(i * period)
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
    watch.heard(last + 100)
    assert watch.alive
    assert watch.period_s == pytest.approx(0.1), "the pause is not a period"
    assert watch.fell_silent(last + 101)


def test_a_driver_that_was_never_heard_is_not_silent():
    watch = DriverWatch(DriverTimeout())
    assert watch.patience(1e9) is None
    assert not watch.fell_silent(1e9)


def test_a_driver_may_be_silent_for_ever():
    watch, last = watch_at_rate(0.1, DriverTimeout(math.inf))
    assert watch.patience(last) is None
    assert not watch.fell_silent(math.inf)
