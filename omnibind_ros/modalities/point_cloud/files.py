"""Recordings of point clouds: arrays and tables of coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.files import NUMBERS, FileFormats, RecordedArray


def points_from_array(array: RecordedArray, format: object) -> NDArray[np.float32]:
    """float32 [N,3]."""
    array.expect(array.values.ndim == 2 and array.values.shape[1] == 3, "points [N, 3]")
    return array.scaled


FILES = FileFormats(arrays=(*NUMBERS, ".xyz", ".txt"), from_array=points_from_array)
