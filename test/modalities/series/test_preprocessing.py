"""Time series: messages against the recordings they came from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_messages import FRAME, MS, T0, feed_all, imu, joints, numbers

from omnibind_ros.errors import BadMessage, ConfigError
from omnibind_ros.modalities.registry import make_preprocessor
from omnibind_ros.modalities.series.preprocessing import SeriesFormat, at_rate

SERIES = {"adaptor": "series", "channels": 6, "rate": 50, "window_s": 2.0, "hop_s": 0.5}


def movement(seconds: float, rate: float, begin: float = 0.0) -> np.ndarray:
    """Slow sines, float32 [T, 6]; the same movement at any rate."""
    t = begin + np.arange(round(seconds * rate))[:, None] / rate
    return np.sin(2 * np.pi * t * np.linspace(0.3, 1.5, 6) + np.arange(6)).astype(np.float32)


def messages(rows: np.ndarray, rate: float, kind: Any = imu, start: int = T0) -> list[Any]:
    return [kind(row, start + round(index * 1e9 / rate)) for index, row in enumerate(rows)]


@pytest.mark.parametrize("kind", [imu, joints, numbers])
def test_the_live_window_is_the_end_of_the_recording(kind):
    preprocessor, rows = make_preprocessor("motion", SERIES), movement(3.0, 50)
    samples = feed_all(preprocessor, messages(rows, 50, kind))
    assert [s.quality for s in samples] == [1.0] * 3
    np.testing.assert_allclose(samples[0].data, preprocessor.prepare(rows[:100]), atol=1e-4)
    np.testing.assert_allclose(samples[2].data, preprocessor.prepare(rows[50:150]), atol=1e-4)
    assert samples[2].stamp == (T0 + round(149 * 2e7) if kind is not numbers else 0)
    assert samples[2].frame_id == (FRAME if kind is not numbers else "")
    assert samples[0].data.shape == preprocessor.input_shape == (1, 6, 1, 100)


@pytest.mark.parametrize("rate", [30, 100, 400])
def test_devices_of_any_rate_give_the_models(rate):
    preprocessor = make_preprocessor("motion", SERIES)
    samples = feed_all(preprocessor, messages(movement(2.6, rate), rate))
    assert len(samples) == 2
    for sample in samples:
        truth = preprocessor.prepare(movement(2.0, 50, begin=(sample.stamp - T0) / 1e9 - 1.98))
        assert np.abs(sample.data - truth).max() < 0.15
        assert np.abs(sample.data - truth).mean() < 0.01


def test_what_is_faster_than_the_model_is_averaged_not_picked():
    rows = movement(2.2, 500)
    noisy = rows + np.where(np.arange(len(rows)) % 2, 1.0, -1.0)[:, None]
    preprocessor = make_preprocessor("motion", SERIES)
    (sample,) = feed_all(preprocessor, messages(noisy, 500))[:1]
    clean = make_preprocessor("motion", SERIES)
    (expected,) = feed_all(clean, messages(rows, 500))[:1]
    assert np.abs(sample.data - expected.data).max() < 0.2


def test_a_pause_or_a_jump_back_begins_the_window_afresh():
    rows = movement(3.0, 50)
    for jump in (2_000_000_000, -5_000_000_000):
        preprocessor = make_preprocessor("motion", SERIES)
        first = messages(rows[:90], 50)
        later = messages(rows[90:], 50, start=T0 + 90 * 20_000_000 + jump)
        assert feed_all(preprocessor, [*first, *later]) == []
    (sample,) = feed_all(preprocessor, messages(rows[:100], 50, start=T0 + 10**12))
    np.testing.assert_allclose(sample.data, preprocessor.prepare(rows[:100]), atol=1e-4)


def test_jitter_and_a_lost_message_hardly_matter():
    rows, rng = movement(2.0, 50), np.random.default_rng(0)
    stream = [
        imu(row, T0 + round(index * 2e7 + rng.normal(0, 1e6)))
        for index, row in enumerate(movement(2.02, 50))
        if index not in (40, 70)
    ]
    preprocessor = make_preprocessor("motion", SERIES)
    (sample,) = feed_all(preprocessor, stream)
    assert np.abs(sample.data - preprocessor.prepare(rows)).max() < 0.3


def test_after_a_reset_nothing_of_before_is_left():
    preprocessor, rows = make_preprocessor("motion", SERIES), movement(2.0, 50)
    feed_all(preprocessor, messages(rows[:99] + 5, 50))
    preprocessor.reset()
    (sample,) = feed_all(preprocessor, messages(rows, 50, start=T0 + 99 * 20_000_000))
    np.testing.assert_allclose(sample.data, preprocessor.prepare(rows), atol=1e-4)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (joints([1, 2]), "holds 2 values, the encoder takes 6"),
        (joints([1, 2, 3, 4, 5, np.nan]), "not finite"),
        (joints([1, 2, 3, 4, 5, 1e300]), "not finite"),
        (imu([1, 2, 3, 4, 5, np.inf]), "not finite"),
        (imu([0] * 6, unmeasured="angular_velocity"), "does not measure angular_velocity"),
    ],
)
def test_a_bad_message_is_refused_and_harms_no_window(bad, error):
    preprocessor, rows = make_preprocessor("motion", SERIES), movement(2.0, 50)
    stream = messages(rows, 50)
    assert feed_all(preprocessor, stream[:60]) == []
    with pytest.raises(BadMessage, match=error):
        preprocessor.feed(bad)
    (sample,) = feed_all(preprocessor, stream[60:])
    np.testing.assert_allclose(sample.data, preprocessor.prepare(rows), atol=1e-4)


@given(st.lists(st.floats(), min_size=6, max_size=6))
def test_whatever_joints_measure_the_window_is_finite(row):
    preprocessor = make_preprocessor("motion", {**SERIES, "window_s": 0.1, "hop_s": 0.1})
    first = messages(movement(0.1, 50)[:4], 50, joints)
    try:
        samples = feed_all(preprocessor, [*first, joints(row, T0 + 80 * MS)])
    except BadMessage:
        with np.errstate(over="ignore"):
            assert not np.isfinite(np.array(row).astype(np.float32)).all()
        return
    assert all(np.isfinite(sample.data).all() for sample in samples)


@pytest.mark.parametrize("period_s", [0.6, 3])
def test_messages_too_far_apart_are_reported(period_s):
    rows = movement(1.0, 50)
    samples = feed_all(make_preprocessor("motion", SERIES), messages(rows[:4], 1 / period_s))
    assert len(samples) == 3
    assert {(s.quality, s.reason) for s in samples} == {
        (0.0, f"messages are {period_s:g} s apart, a window allows 0.5 s")
    }


def test_messages_of_a_bag_are_the_recording():
    preprocessor, rows = make_preprocessor("motion", SERIES), movement(1.3, 50)
    for kind in (imu, joints, numbers):
        np.testing.assert_allclose(preprocessor.join(messages(rows, 50, kind)), rows, atol=1e-4)


def test_long_recordings_give_their_middle_and_short_ones_stand_still_around_it():
    preprocessor = make_preprocessor("motion", {**SERIES, "channels": 1, "rate": 10, "window_s": 1.0})
    long = np.arange(14, dtype=np.float32)[:, None]
    assert preprocessor.prepare(long)[0, 0, 0].tolist() == list(range(2, 12))
    short = np.arange(1, 5, dtype=np.float32)[:, None]
    assert preprocessor.prepare(short)[0, 0, 0].tolist() == [1, 1, 1, 1, 2, 3, 4, 4, 4, 4]


def test_values_are_scaled_by_channel():
    preprocessor = make_preprocessor("motion", {**SERIES, "channels": 2, "mean": [1, 2], "std": [0.5, 2]})
    prepared = preprocessor.prepare(np.tile(np.array([2, 8], np.float32), (100, 1)))
    np.testing.assert_allclose(prepared[0, :, 0, 0], [2, 3])


def test_where_points_are_together_does_not_matter_but_how_they_lie_does():
    preprocessor = make_preprocessor("skeleton", {**SERIES, "axes": 3})
    rows = movement(2.0, 50)
    elsewhere = rows + np.tile(np.array([3, -1, 2], np.float32), 2)
    np.testing.assert_allclose(preprocessor.prepare(rows), preprocessor.prepare(elsewhere), atol=1e-4)
    bent = rows + np.array([0, 0, 0, 1, 0, 0], np.float32)
    assert np.abs(preprocessor.prepare(rows) - preprocessor.prepare(bent)).max() > 0.4
    before = rows.copy()
    preprocessor.prepare(rows)
    np.testing.assert_array_equal(rows, before)


def test_quality_falls_with_stillness_and_dead_channels():
    preprocessor, rows = make_preprocessor("motion", SERIES), movement(2.0, 50)
    assert preprocessor.check(rows).quality == 1.0
    assert preprocessor.check(np.ones((100, 6), np.float32)).quality == 0.0
    assert preprocessor.check(rows * 0.001).reason == "nothing moves"
    assert 0 < preprocessor.check(rows * 0.015).quality < 1
    dead = rows.copy()
    dead[:, :2] = 7
    verdict = preprocessor.check(dead)
    assert verdict.quality == pytest.approx(4 / 6)
    assert verdict.reason == "2 of 6 channels do not change"


def test_nothing_moving_is_an_empty_sample():
    samples = feed_all(make_preprocessor("motion", SERIES), messages(np.ones((100, 6)), 50))
    assert [(s.quality, s.reason) for s in samples] == [(0.0, "nothing moves")]
    assert not samples[0].data.any()


@pytest.mark.parametrize(
    ("constants", "error"),
    [({"mean": [1, 2]}, "2 values for 6"), ({"std": 0}, "above 0"), ({"axes": 4}, "4 coordinates")],
)
def test_constants_that_do_not_fit_are_refused(constants, error):
    with pytest.raises(ConfigError, match=error):
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
