"""Recordings of thermal cameras: picture files, and arrays or tables of temperatures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.files import NUMBERS, PICTURES, FileFormats, RecordedArray
from omnibind_ros.modalities.image.encodings import to_intensity


def thermal_from_array(array: RecordedArray, format: object) -> NDArray[np.float32]:
    """float32 [H,W]; of a false-colour picture its luma, which such colour maps keep monotone."""
    values = array.values
    if values.ndim == 3 and values.shape[2] == 3:
        return to_intensity(values)
    array.expect(values.ndim == 2, "a thermal picture [H, W]")
    return array.scaled


FILES = FileFormats(arrays=(*PICTURES, *NUMBERS), from_array=thermal_from_array)
