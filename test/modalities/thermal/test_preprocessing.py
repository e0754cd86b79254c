"""Thermal pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sensor_messages import image

from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.registry import make_preprocessor


@pytest.mark.parametrize("scale,offset", [(1.0, 0.0), (0.04, 293.15), (300.0, -5.0)])
def test_thermal_does_not_care_about_the_temperature_scale(scale, offset):
    preprocessor, raw = make_preprocessor("thermal"), Scene(5).sample("thermal").astype(np.float32)
    (sample,) = preprocessor.feed(image((raw * scale + offset).astype("<f4"), "32FC1"))
    np.testing.assert_allclose(sample.data, preprocessor.prepare(raw), atol=0.02)


def test_a_covered_thermal_camera_is_nothing():
    noise = np.random.default_rng(0).normal(293, 0.05, (32, 32)).astype("<f4")
    (sample,) = make_preprocessor("thermal").feed(image(noise, "32FC1"))
    assert sample.quality == 0
    assert "noise" in sample.reason
    (uniform,) = make_preprocessor("thermal").feed(image(np.full((32, 32), 293, "<f4"), "32FC1"))
    assert uniform.quality == 0


def test_thermal_survives_dead_pixels_and_refuses_a_dead_camera():
    preprocessor, raw = make_preprocessor("thermal"), Scene(5).sample("thermal").astype(np.float32)
    spotted = raw.copy()
    spotted[3, 4] = np.nan
    (sample,) = preprocessor.feed(image(spotted.astype("<f4"), "32FC1"))
    assert np.isfinite(sample.data).all()
    assert 0.9 < sample.quality < 1
    (dead,) = preprocessor.feed(image(np.full_like(raw, np.nan).astype("<f4"), "32FC1"))
    assert dead.quality == 0


@pytest.mark.parametrize("side", [32, 120])
@pytest.mark.parametrize("spot", [65535.0, -40000.0])
def test_a_few_hot_or_dead_pixels_change_nothing(side, spot):
    preprocessor = make_preprocessor("thermal")
    picture = cv2.resize(Scene(5).sample("thermal").astype(np.float32), (side, side))
    (clean,) = preprocessor.feed(image(picture.astype("<f4"), "32FC1"))
    spotted = picture.copy()
    spotted[side // 3, side // 4] = spot
    (sample,) = preprocessor.feed(image(spotted.astype("<f4"), "32FC1"))
    assert sample.quality == clean.quality == 1.0
    changed = np.abs(sample.data - clean.data) > 0.1
    assert changed.mean() < 0.01


def test_a_hot_pixel_makes_no_picture_of_a_uniform_one():
    uniform = np.full((120, 160), 293.0, "<f4")
    uniform[3, 5] = 400
    (sample,) = make_preprocessor("thermal").feed(image(uniform, "32FC1"))
    assert (sample.quality, sample.reason) == (0.0, "picture is uniform")
