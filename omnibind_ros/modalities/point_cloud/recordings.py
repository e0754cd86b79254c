"""Recordings of point clouds: arrays and tables of coordinates; drawings as points in the air."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from omnibind_ros.modalities.definition import Picture
from omnibind_ros.modalities.files import NUMBERS, FileFormats, RecordedArray, three_channels
from omnibind_ros.modalities.pictures import DRAWN, SIDE, ink_of
from omnibind_ros.modalities.point_cloud.simulation import track
from omnibind_ros.simulation.retrace import retrace
from omnibind_ros.types import Floats


def points_from_array(array: RecordedArray, format: object) -> Floats:
    """float32 [N,3]."""
    array.expect(array.values.ndim == 2 and array.values.shape[1] == 3, "points [N, 3]")
    return array.scaled


FILES = FileFormats(arrays=(*NUMBERS, ".xyz", ".txt"), from_array=points_from_array)


_PEN = 3.4  # pixels wide
_SUBPIXELS = 8


def picture_as_points(picture: Picture, rng: np.random.Generator) -> Floats:
    """Drawn in the air before the simulated hand tracker."""
    return track(partial(retrace, ink_of(picture)), rng)


def points_as_picture(points: Floats) -> Picture:
    """A line through the points in their order, from the front (x to the right, y up)."""
    flat = points[:, :2] * np.array([1, -1], np.float32)
    flat = flat - flat.min(axis=0)
    flat *= DRAWN / max(float(flat.max()), 1e-6)
    flat += (SIDE - flat.max(axis=0)) / 2
    large = np.zeros((SIDE * 4, SIDE * 4), np.uint8)
    corners = np.round(flat * (4 * _SUBPIXELS)).astype(np.int32)
    cv2.polylines(large, [corners], False, 255, round(4 * _PEN), cv2.LINE_8, shift=3)
    return three_channels(cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
