"""The publishing schedule: on news, at once on a change, never too rarely."""

from __future__ import annotations

import pytest
from fusion_samples import START, seconds

from omnibind_ros.errors import ConfigError
from omnibind_ros.fusion.publish_schedule import PublishSchedule


@pytest.fixture
def schedule() -> PublishSchedule:
    schedule = PublishSchedule(rate_hz=5, max_rate_hz=20)
    schedule.published(START)
    return schedule


def test_the_first_is_due_at_once() -> None:
    assert PublishSchedule(rate_hz=5, max_rate_hz=20).is_due(START)


def test_without_news_it_repeats_at_the_slow_rate(schedule: PublishSchedule) -> None:
    assert schedule.due_at(START) == START + seconds(0.2)
    assert not schedule.is_due(START + seconds(0.2) - 1)
    assert schedule.is_due(START + seconds(0.2))


def test_news_does_not_wait_while_the_fast_rate_is_kept(schedule: PublishSchedule) -> None:
    schedule.news()
    assert schedule.is_due(START + 1)
    schedule.published(START + 1)
    assert schedule.due_at(START + 1) == START + 1 + seconds(0.2), "news counts once"


def test_after_a_burst_news_waits_for_the_fast_rate(schedule: PublishSchedule) -> None:
    for _ in range(7):
        schedule.news()
        assert schedule.is_due(START)
        schedule.published(START)
    schedule.news()
    assert not schedule.is_due(START + seconds(0.05) - 1)
    assert schedule.is_due(START + seconds(0.05))


def test_a_change_does_not_wait(schedule: PublishSchedule) -> None:
    schedule.changed()
    assert schedule.is_due(START + 1)
    schedule.published(START + 1)
    assert not schedule.is_due(START + 2)


def test_a_clock_that_jumped_back_does_not_silence_it(schedule: PublishSchedule) -> None:
    assert schedule.is_due(START - seconds(100))


def test_many_embeddings_make_the_fast_rate_and_no_more() -> None:
    schedule, published = PublishSchedule(rate_hz=5, max_rate_hz=20), 0
    for millisecond in range(10_000):
        now = START + millisecond * 1_000_000
        schedule.news()
        if schedule.is_due(now):
            schedule.published(now)
            published += 1
    assert published == 200 + 7, "ten seconds and a burst"


def test_rates_may_change(schedule: PublishSchedule) -> None:
    schedule.set_rates(2, 4)
    assert schedule.due_at(START) == START + seconds(0.5)
    with pytest.raises(ConfigError, match="rate_hz"):
        schedule.set_rates(5, 4)
    assert schedule.due_at(START) == START + seconds(0.5), "a refused change changes nothing"


@pytest.mark.parametrize("rates", [(0, 10), (5, 4), (float("nan"), 4)])
def test_rates_that_cannot_be_are_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="rate_hz"):
        PublishSchedule(*rates)
