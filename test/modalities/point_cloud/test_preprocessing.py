"""Point clouds."""

from __future__ import annotations

import numpy as np
import pytest
from sensor_messages import cloud

from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.preprocessor import make_preprocessor


def test_a_cloud_has_no_order_and_no_place():
    preprocessor, raw = make_preprocessor("point_cloud"), Scene(8).sample("point_cloud")
    shuffled = np.random.default_rng(0).permutation(raw) * 3 + np.float32([1, -2, 0.5])
    (sample,) = preprocessor.feed(cloud(shuffled))
    np.testing.assert_allclose(sample.data, preprocessor.prepare(raw), atol=1e-3)


def test_points_that_are_not_finite_cost_quality():
    preprocessor, raw = make_preprocessor("point_cloud"), Scene(8).sample("point_cloud")
    holed = np.repeat(raw, 2, axis=0)
    holed[::2] = np.nan
    (sample,) = preprocessor.feed(cloud(holed))
    assert sample.quality == pytest.approx(0.5)
    np.testing.assert_allclose(sample.data, preprocessor.prepare(raw), atol=1e-5)
    (nothing,) = preprocessor.feed(cloud(np.full((20, 3), np.nan, np.float32)))
    assert nothing.quality == 0
