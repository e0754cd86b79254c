"""Time series of any modality: messages against the recordings they came from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.errors import BadMessage, ConfigError
from omnibind_ros.modalities.preprocessor import Preprocessor, Sample
from omnibind_ros.modalities.registry import make_preprocessor
from omnibind_ros.modalities.series.preprocessing import SeriesFormat, at_rate

T0 = 1_700_000_000_000_000_000
SERIES = {"adaptor": "series", "channels": 6, "rate": 50, "window_s": 2.0, "hop_s": 0.5}


def header(stamp: int) -> Any:
    return SimpleNamespace(stamp=SimpleNamespace(sec=stamp // 10**9, nanosec=stamp % 10**9), frame_id="wrist")


def imu(row: Any, stamp: int) -> Any:
    a, w = (SimpleNamespace(x=float(v[0]), y=float(v[1]), z=float(v[2])) for v in (row[:3], row[3:]))
    return SimpleNamespace(
        header=header(stamp),
        linear_acceleration=a,
        linear_acceleration_covariance=np.zeros(9),
        angular_velocity=w,
        angular_velocity_covariance=np.zeros(9),
    )


def joints(row: Any, stamp: int) -> Any:
    return SimpleNamespace(header=header(stamp), name=list("abcdef"), position=np.asarray(row, np.float64))


def numbers(row: Any, stamp: int) -> Any:
    return SimpleNamespace(layout=None, data=np.asarray(row, np.float32))


def movement(seconds: float, rate: float, begin: float = 0.0) -> np.ndarray:
    """Slow sines, float32 [T, 6]; the same movement at any rate."""
    t = begin + np.arange(round(seconds * rate))[:, None] / rate
    return np.sin(2 * np.pi * t * np.linspace(0.3, 1.5, 6) + np.arange(6)).astype(np.float32)


def messages(rows: np.ndarray, rate: float, kind: Any = imu, start: int = T0) -> list[Any]:
    return [kind(row, start + round(index * 1e9 / rate)) for index, row in enumerate(rows)]


def feed_all(adaptor: Preprocessor, stream: list[Any]) -> list[Sample]:
    return [sample for message in stream for sample in adaptor.feed(message)]


@pytest.mark.parametrize("kind", [imu, joints, numbers])
def test_the_live_window_is_the_end_of_the_recording(kind):
    adaptor, rows = make_preprocessor("motion", SERIES), movement(3.0, 50)
    samples = feed_all(adaptor, messages(rows, 50, kind))
    assert [s.quality for s in samples] == [1.0] * 3
    np.testing.assert_allclose(samples[0].data, adaptor.prepare(rows[:100]), atol=1e-4)
    np.testing.assert_allclose(samples[2].data, adaptor.prepare(rows[50:150]), atol=1e-4)
    assert samples[2].stamp == (T0 + round(149 * 2e7) if kind is not numbers else 0)
    assert samples[2].frame_id == ("wrist" if kind is not numbers else "")
    assert samples[0].data.shape == adaptor.input_shape == (1, 6, 1, 100)


@pytest.mark.parametrize("rate", [30, 100, 400])
def test_devices_of_any_rate_give_the_models(rate):
    adaptor = make_preprocessor("motion", SERIES)
    samples = feed_all(adaptor, messages(movement(2.6, rate), rate))
    assert len(samples) == 2
    for sample in samples:
        truth = adaptor.prepare(movement(2.0, 50, begin=(sample.stamp - T0) / 1e9 - 1.98))
        assert np.abs(sample.data - truth).max() < 0.15
        assert np.abs(sample.data - truth).mean() < 0.01


def test_what_is_faster_than_the_model_is_averaged_not_picked():
    rows = movement(2.2, 500)
    noisy = rows + np.where(np.arange(len(rows)) % 2, 1.0, -1.0)[:, None]
    adaptor = make_preprocessor("motion", SERIES)
    (sample,) = feed_all(adaptor, messages(noisy, 500))[:1]
    clean = make_preprocessor("motion", SERIES)
    (expected,) = feed_all(clean, messages(rows, 500))[:1]
    assert np.abs(sample.data - expected.data).max() < 0.2


def test_a_pause_or_a_jump_back_begins_the_window_afresh():
    rows = movement(3.0, 50)
    for jump in (2_000_000_000, -5_000_000_000):
        adaptor = make_preprocessor("motion", SERIES)
        first = messages(rows[:90], 50)
        later = messages(rows[90:], 50, start=T0 + 90 * 20_000_000 + jump)
        assert feed_all(adaptor, [*first, *later]) == []
    (sample,) = feed_all(adaptor, messages(rows[:100], 50, start=T0 + 10**12))
    np.testing.assert_allclose(sample.data, adaptor.prepare(rows[:100]), atol=1e-4)


def test_jitter_and_a_lost_message_hardly_matter():
    rows, rng = movement(2.0, 50), np.random.default_rng(0)
    stream = [
        imu(row, T0 + round(index * 2e7 + rng.normal(0, 1e6)))
        for index, row in enumerate(movement(2.02, 50))
        if index not in (40, 70)
    ]
    adaptor = make_preprocessor("motion", SERIES)
    (sample,) = feed_all(adaptor, stream)
    assert np.abs(sample.data - adaptor.prepare(rows)).max() < 0.3


def test_after_a_reset_nothing_of_before_is_left():
    adaptor, rows = make_preprocessor("motion", SERIES), movement(2.0, 50)
    feed_all(adaptor, messages(rows[:99] + 5, 50))
    adaptor.reset()
    (sample,) = feed_all(adaptor, messages(rows, 50, start=T0 + 99 * 20_000_000))
    np.testing.assert_allclose(sample.data, adaptor.prepare(rows), atol=1e-4)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (joints([1, 2], T0), "holds 2 values, the encoder takes 6"),
        (joints([1, 2, 3, 4, 5, np.nan], T0), "not finite"),
        (imu([1, 2, 3, 4, 5, np.inf], T0), "not finite"),
        (SimpleNamespace(header=header(T0)), "no field 'data'"),
        (SimpleNamespace(header=header(T0), data="speed"), "no list of finite numbers"),
        (SimpleNamespace(header=header(T0), position=None), "no list of finite numbers"),
        (SimpleNamespace(header=header(T0), linear_acceleration=None), "angular_velocity"),
    ],
)
def test_a_bad_message_is_told_and_harms_no_window(bad, said):
    adaptor, rows = make_preprocessor("motion", SERIES), movement(2.0, 50)
    stream = messages(rows, 50)
    assert feed_all(adaptor, stream[:60]) == []
    with pytest.raises(BadMessage, match=said):
        adaptor.feed(bad)
    (sample,) = feed_all(adaptor, stream[60:])
    np.testing.assert_allclose(sample.data, adaptor.prepare(rows), atol=1e-4)


def test_an_inertial_unit_that_does_not_measure_something_says_so():
    message = imu(np.zeros(6), T0)
    message.angular_velocity_covariance[0] = -1
    with pytest.raises(BadMessage, match="does not measure angular_velocity"):
        make_preprocessor("motion", SERIES).feed(message)


def test_messages_of_a_bag_are_the_recording():
    adaptor, rows = make_preprocessor("motion", SERIES), movement(1.3, 50)
    for kind in (imu, joints, numbers):
        np.testing.assert_allclose(adaptor.join(messages(rows, 50, kind)), rows, atol=1e-4)


def test_long_recordings_give_their_middle_and_short_ones_stand_still_around_it():
    adaptor = make_preprocessor("motion", {**SERIES, "channels": 1, "rate": 10, "window_s": 1.0})
    long = np.arange(14, dtype=np.float32)[:, None]
    assert adaptor.prepare(long)[0, 0, 0].tolist() == list(range(2, 12))
    short = np.arange(1, 5, dtype=np.float32)[:, None]
    assert adaptor.prepare(short)[0, 0, 0].tolist() == [1, 1, 1, 1, 2, 3, 4, 4, 4, 4]


def test_values_are_scaled_by_channel():
    adaptor = make_preprocessor("motion", {**SERIES, "channels": 2, "mean": [1, 2], "std": [0.5, 2]})
    prepared = adaptor.prepare(np.tile(np.array([2, 8], np.float32), (100, 1)))
    np.testing.assert_allclose(prepared[0, :, 0, 0], [2, 3])


def test_where_points_are_together_does_not_matter_but_how_they_lie_does():
    adaptor = make_preprocessor("skeleton", {**SERIES, "axes": 3})
    rows = movement(2.0, 50)
    elsewhere = rows + np.tile(np.array([3, -1, 2], np.float32), 2)
    np.testing.assert_allclose(adaptor.prepare(rows), adaptor.prepare(elsewhere), atol=1e-4)
    bent = rows + np.array([0, 0, 0, 1, 0, 0], np.float32)
    assert np.abs(adaptor.prepare(rows) - adaptor.prepare(bent)).max() > 0.4
    before = rows.copy()
    adaptor.prepare(rows)
    np.testing.assert_array_equal(rows, before)


def test_quality_falls_with_stillness_and_dead_channels():
    adaptor, rows = make_preprocessor("motion", SERIES), movement(2.0, 50)
    assert adaptor.check(rows).quality == 1.0
    assert adaptor.check(np.ones((100, 6), np.float32)).quality == 0.0
    assert adaptor.check(rows * 0.001).reason == "nothing moves"
    assert 0 < adaptor.check(rows * 0.015).quality < 1
    dead = rows.copy()
    dead[:, :2] = 7
    verdict = adaptor.check(dead)
    assert verdict.quality == pytest.approx(4 / 6)
    assert verdict.reason == "2 of 6 channels do not change"


def test_nothing_moving_is_an_empty_sample():
    samples = feed_all(make_preprocessor("motion", SERIES), messages(np.ones((100, 6)), 50))
    assert [(s.quality, s.reason) for s in samples] == [(0.0, "nothing moves")]
    assert not samples[0].data.any()


@pytest.mark.parametrize(
    ("constants", "said"),
    [({"mean": [1, 2]}, "2 values for 6"), ({"std": 0}, "above 0"), ({"axes": 4}, "4 coordinates")],
)
def test_constants_that_do_not_fit_are_refused(constants, said):
    with pytest.raises(ConfigError, match=said):
        make_preprocessor("motion", {**SERIES, **constants})


def test_constants_from_a_manifest_are_the_same_constants():
    once = SeriesFormat(channels=2, mean=(1.0, 2.0), std=0.5)
    assert SeriesFormat(channels=2, mean=[1.0, 2.0], std=[0.5]) == once


@given(
    st.lists(st.floats(0.001, 0.2), min_size=1, max_size=60),
    st.floats(1, 200),
    st.floats(-1e3, 1e3),
    st.floats(-1e3, 1e3),
)
def test_a_straight_line_stays_one_at_any_rate(steps, rate, slope, offset):
    times = np.cumsum(steps)
    values = (slope * times + offset)[:, None].astype(np.float32)
    result = at_rate(times, values, rate)
    assert result.dtype == np.float32 and len(result) >= 1
    assert result.min() >= values.min() - 1e-2 and result.max() <= values.max() + 1e-2
    together = round((len(times) - 1) / max((times[-1] - times[0]) * rate, 1e-9)) if len(times) > 1 else 1
    if together <= 1 and len(times) > 1:
        expected = slope * (times[0] + np.arange(len(result)) / rate) + offset
        np.testing.assert_allclose(result[:, 0], expected, rtol=1e-3, atol=1e-2)
