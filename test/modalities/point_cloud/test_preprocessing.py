"""Point clouds: order, place, density, invalid returns and stray points do not matter."""

from __future__ import annotations

import numpy as np
import pytest
from sensor_messages import XYZ, cloud

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.point_cloud import preprocessing
from omnibind_ros.modalities.registry import make_preprocessor

PADDED = (*XYZ, ("intensity", "f4"))


def test_a_cloud_has_no_order_and_no_place():
    preprocessor, raw = make_preprocessor("point_cloud"), Scene(8).sample("point_cloud")
    shuffled = np.random.default_rng(0).permutation(raw) * 3 + np.float32([1, -2, 0.5])
    (sample,) = preprocessor.feed(cloud(shuffled))
    np.testing.assert_allclose(sample.data, preprocessor.prepare(raw), atol=1e-3)


def with_nan(points):
    holed = np.repeat(points, 2, axis=0)
    holed[::2] = np.nan
    return holed


def with_zeros(points, count=700):
    return np.random.default_rng(0).permutation(np.concatenate([points, np.zeros((count, 3), np.float32)]))


def with_strays(points, count=1, metres=50.0):
    away = np.random.default_rng(0).normal(size=(count, 3))
    away *= metres / np.abs(away).max(axis=1, keepdims=True)
    return np.concatenate([points, points.mean(axis=0) + away]).astype(np.float32)


def dense(points, count=480 * 640):
    """Points along the line through `points`, half of them NaN."""
    rng = np.random.default_rng(0)
    at = rng.uniform(0, len(points) - 1.001, count)
    before, share = at.astype(int), (at % 1)[:, None]
    line = points[before] * (1 - share) + points[before + 1] * share + rng.normal(0, 1e-3, (count, 3))
    line[rng.random(count) < 0.5] = np.nan
    return line.astype(np.float32)


@pytest.mark.parametrize(
    "disturb",
    [with_nan, with_zeros, with_strays, lambda points: with_nan(with_zeros(with_strays(points, 2)))],
    ids=["nan", "zeros", "stray", "all"],
)
def test_invalid_returns_and_strays_change_neither_the_input_nor_the_quality(disturb):
    preprocessor, raw = make_preprocessor("point_cloud"), Scene(8).sample("point_cloud")
    (sample,) = preprocessor.feed(cloud(disturb(raw)))
    np.testing.assert_allclose(sample.data, preprocessor.prepare(raw), atol=1e-5)
    assert (sample.quality, sample.reason) == (1.0, "")


def test_the_quality_counts_the_valid_points():
    preprocessor, raw = make_preprocessor("point_cloud"), Scene(8).sample("point_cloud")[:11]
    (sample,) = preprocessor.feed(cloud(with_zeros(raw)))
    assert sample.quality == pytest.approx(0.5)
    assert sample.reason == "cloud has only 11 points besides 700 invalid returns"
    for nothing in (np.full((20, 3), np.nan), np.zeros((700, 3)), np.zeros((0, 3))):
        (sample,) = preprocessor.feed(cloud(nothing))
        assert sample.quality == 0
    (sample,) = preprocessor.feed(cloud(np.full((700, 3), 1.0)))
    assert (sample.quality, sample.reason) == (0.0, "all points are the same")


def test_a_device_may_measure_the_origin():
    zeros = np.zeros((700, 3), np.float32)
    zeros[:, 0] = np.arange(700) // 2  # the first two points are zero
    (sample,) = make_preprocessor("point_cloud", {"skip_zero_returns": False}).feed(cloud(zeros))
    expected = make_preprocessor("point_cloud").prepare(zeros)
    np.testing.assert_array_equal(sample.data, expected)


def test_a_second_object_is_not_stray():
    raw = Scene(8).sample("point_cloud")
    two = np.concatenate([raw, raw[: len(raw) // 4] + np.float32([5, 0, 0])])
    data = make_preprocessor("point_cloud").prepare(two)
    assert data[0, 0, :, 16:].any(), "the second object is in the front view"


def strokes_in_the_air(data_root, label="*"):
    files = sorted((data_root / "digits/point_cloud").glob(f"stroke_{label}_*.csv"))
    return [np.loadtxt(file, np.float32, delimiter=",", ndmin=2) / np.float32(1000) for file in files]


def test_no_clean_recording_has_strays(data_root, monkeypatch):
    preprocessor = make_preprocessor("point_cloud")
    clean = [points for points in strokes_in_the_air(data_root) if points.any(axis=1).all()]
    assert len(clean) > 700
    found = [preprocessor.prepare(points) for points in clean]
    monkeypatch.setattr(preprocessing, "_EMPTY", np.inf)
    for data, points in zip(found, clean, strict=True):
        np.testing.assert_array_equal(data, preprocessor.prepare(points))


@pytest.fixture(scope="module")
def shipped():
    bundle = Bundle.load("digits")
    bank = LabelBank.from_npz(bundle.labels_path.read_bytes())
    encoder = SensorEncoder.open(bundle, "depth", "point_cloud")

    def answer(points, **layout):
        (embedding,) = encoder.feed(cloud(points, **layout), 0)
        assert embedding.quality == 1.0
        return bank.names[int(np.argmax(bank.class_centres @ embedding.vector))]

    yield answer
    encoder.close()


@pytest.mark.parametrize("disturb", [with_nan, with_zeros, with_strays, dense])
def test_the_shipped_encoder_answers_as_if_undisturbed(shipped, disturb, data_root):
    layout = {"height": 480, "layout": PADDED} if disturb is dense else {}
    right = 0
    for label in range(10):
        for points in strokes_in_the_air(data_root, label)[:3]:
            answer = shipped(disturb(points), **layout)
            assert disturb is dense or answer == shipped(points)
            right += answer == str(label)
    assert right >= 28  # of 30; 29 undisturbed
