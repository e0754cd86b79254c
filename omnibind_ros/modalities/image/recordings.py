"""Recordings of cameras: picture files and arrays of pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.files import PICTURES, FileFormats, RecordedArray, three_channels


def image_from_array(array: RecordedArray, format: object) -> NDArray[np.uint8]:
    """uint8 [H,W,3] RGB of grey values or colours; of 16 bits without a scale, the upper 8."""
    values = array.values
    if values.dtype != np.uint8:
        if values.dtype == np.uint16 and array.scale == 1.0:
            values = values >> np.uint16(8)
        else:
            values = np.rint(np.clip(array.scaled, 0, 255))
    if values.ndim == 2 or values.shape[-1] == 1:
        return three_channels(values.reshape(values.shape[:2]))
    array.expect(values.ndim == 3 and values.shape[2] == 3, "a picture [H, W] or [H, W, 3]")
    return np.ascontiguousarray(values, np.uint8)


FILES = FileFormats(arrays=(*PICTURES, ".npy"), from_array=image_from_array)
