"""The period estimator: medians of intervals, not misled by pauses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.period import LONGEST_S, Period


def of_arrivals(*times: float) -> Period:
    period = Period()
    for time in times:
        period.arrived(time)
    return period


def test_it_is_measured_from_two_arrivals_and_trusted_from_three() -> None:
    assert (of_arrivals().measured, of_arrivals(1).measured, of_arrivals(1, 3).measured) == (0, 0, 2)
    assert (of_arrivals(1, 3).trusted, of_arrivals(1, 3, 5).trusted) == (0, 2)


def test_it_follows_a_source_that_changes_its_rate() -> None:
    times = [0.1 * i for i in range(20)] + [2 + 1.0 * i for i in range(8)]
    assert of_arrivals(*times).trusted == pytest.approx(1.0)


@given(st.floats(0.001, LONGEST_S), st.integers(3, 20), st.integers(1, 18), st.floats(0, 1e6))
def test_one_pause_does_not_change_it(period: float, count: int, before: int, pause: float) -> None:
    times = [i * period + (pause if i >= before else 0) for i in range(count)]
    assert of_arrivals(*times).trusted in (0, pytest.approx(period, rel=1e-6, abs=1e-9))
    assert count < 4 or of_arrivals(*times).trusted > 0


def test_a_source_slower_than_the_longest_has_no_period() -> None:
    assert of_arrivals(0, 11, 22, 33).measured == 0


def test_an_interval_across_a_jump_of_the_clock_is_not_counted() -> None:
    period = of_arrivals(100, 101, 102)
    period.interrupt()
    period.arrived(50)
    period.arrived(51)
    assert period.measured == 1
    period.arrived(20)
    assert period.measured == 1, "a jump that nobody announced is no interval either"


def test_its_unit_is_that_of_the_times() -> None:
    period = Period(1_000_000_000)
    for second in range(3):
        period.arrived(1_700_000_000_000_000_000 + second * 2_000_000_000)
    assert period.trusted == 2_000_000_000
