"""Depth frames -> points."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data.depth import DepthCamera, points_of_depth

CAMERA = DepthCamera(focal_px=(100, 200), centre_px=(4, 3))


def test_a_pixel_is_a_point_with_y_upwards():
    depth = np.zeros((6, 8), np.uint16)
    depth[1, 6] = 2000
    np.testing.assert_allclose(points_of_depth(depth, CAMERA), [[0.04, 0.02, 2.0]], atol=1e-6)


def test_only_what_moves_is_kept_and_where_it_is_then():
    frames = np.full((6, 6, 8), 3000, np.uint16)
    frames[3:, 2, 2] = 2000  # a hand comes in after three frames, and stays
    frames[4:, 5, 5] = 3020  # noise
    moving = CAMERA.model_copy(update={"keep": "moving", "lag": 1})
    np.testing.assert_allclose(points_of_depth(frames, moving), [[-0.04, 0.01, 2.0]], atol=1e-6)
    slower = CAMERA.model_copy(update={"keep": "moving", "lag": 3})
    assert len(points_of_depth(frames, slower)) == 3
    assert len(points_of_depth(frames, CAMERA)) == frames.size


def test_many_points_are_thinned_evenly_over_the_recording():
    frames = np.full((10, 6, 8), 1000, np.uint16)
    frames *= np.arange(1, 11, dtype=np.uint16)[:, None, None]
    points = points_of_depth(frames, CAMERA.model_copy(update={"points": 40}))
    assert points.shape == (40, 3) and points.dtype == np.float32
    assert np.unique(points[:, 2].round(3), return_counts=True)[1].tolist() == [4] * 10


def test_what_is_no_recording_of_depth_says_so():
    with pytest.raises(BadRecording, match=r"shape \[2\]"):
        points_of_depth(np.zeros(2), CAMERA)
    moving = CAMERA.model_copy(update={"keep": "moving"})
    with pytest.raises(BadRecording, match=r"has 3 depth frames; .* needs 4"):
        points_of_depth(np.zeros((3, 6, 8)), moving)
    with pytest.raises(ValidationError):
        DepthCamera(focal_px=(1, 1), centre_px=(0, 0), lag=0)
