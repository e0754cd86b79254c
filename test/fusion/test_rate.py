"""The publishing schedule: on news, at once on a change, never too rarely."""

from __future__ import annotations

import pytest
from fusion_samples import START, seconds

from omnibind_ros.core import ConfigError
from omnibind_ros.fusion import PublishSchedule


@pytest.fixture
def schedule() -> PublishSchedule:
    schedule = PublishSchedule(rate_hz=5, max_rate_hz=20)
    schedule.published(START)
    return schedule


def test_the_first_is_due_at_once() -> None:
    assert PublishSchedule().is_due(START)


def test_without_news_it_repeats_at_the_slow_rate(schedule: PublishSchedule) -> None:
    assert schedule.due_at(START) == START + seconds(0.2)
    assert not schedule.is_due(START + seconds(0.2) - 1)
    assert schedule.is_due(START + seconds(0.2))


def test_news_waits_only_for_the_fast_rate(schedule: PublishSchedule) -> None:
    schedule.news()
    assert not schedule.is_due(START + seconds(0.05) - 1)
    assert schedule.is_due(START + seconds(0.05))
    schedule.published(START + seconds(0.05))
    assert schedule.due_at(START + seconds(0.05)) == START + seconds(0.25), "news counts once"


def test_a_change_does_not_wait(schedule: PublishSchedule) -> None:
    schedule.changed()
    assert schedule.is_due(START + 1)
    schedule.published(START + 1)
    assert not schedule.is_due(START + 2)


def test_a_clock_that_jumped_back_does_not_silence_it(schedule: PublishSchedule) -> None:
    assert schedule.is_due(START - seconds(100))


def test_many_embeddings_make_the_fast_rate_and_no_more() -> None:
    schedule, published = PublishSchedule(rate_hz=5, max_rate_hz=20), 0
    for millisecond in range(1000):
        now = START + millisecond * 1_000_000
        schedule.news()
        if schedule.is_due(now):
            schedule.published(now)
            published += 1
    assert published == 20


@pytest.mark.parametrize("rates", [(0, 10), (5, 4), (float("nan"), 4)])
def test_rates_that_cannot_be_are_refused(rates: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="rate_hz"):
        PublishSchedule(*rates)
