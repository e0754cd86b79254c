"""Camera images."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sensor_messages import T0, image

from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.preprocessor import make_preprocessor


def test_an_image_message_is_prepared_like_the_recording():
    preprocessor, raw = make_preprocessor("image"), Scene(3).sample("image")
    (sample,) = preprocessor.feed(image(raw, "rgb8"))
    np.testing.assert_array_equal(sample.data, preprocessor.prepare(raw))
    assert (sample.stamp, sample.frame_id, sample.quality) == (T0, "tool0", 1.0)


def test_a_covered_lens_is_nothing():
    black = np.random.default_rng(0).normal(3, 1.5, (100, 100, 3)).clip(0, 255).astype(np.uint8)
    (sample,) = make_preprocessor("image").feed(image(black, "rgb8"))
    assert sample.quality == 0
    assert "black" in sample.reason


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (333, 1000)])
def test_a_big_picture_is_judged_like_a_small_one(shape):
    preprocessor, raw = make_preprocessor("image"), Scene(3).sample("image")
    assert preprocessor.check(cv2.resize(raw, shape[::-1])).quality == 1.0
    noise = np.random.default_rng(0).normal(10, 12, (*shape, 3)).clip(0, 255).astype(np.uint8)
    assert preprocessor.check(noise).quality == 0


def test_a_saturated_picture_is_nothing():
    (sample,) = make_preprocessor("image").feed(image(np.full((50, 60, 3), 255, np.uint8), "rgb8"))
    assert sample.quality == 0
    assert "saturated" in sample.reason
