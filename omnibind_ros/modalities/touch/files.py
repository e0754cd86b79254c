"""Recordings of tactile skins: arrays of frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.files import FileFormats, RecordedArray


def touch_from_array(array: RecordedArray, format: object) -> NDArray[np.float32]:
    """float32 [T,H,W]."""
    array.expect(array.values.ndim == 3, "touch frames [T, H, W]")
    return array.scaled


FILES = FileFormats(arrays=(".npy",), from_array=touch_from_array)
