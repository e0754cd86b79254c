"""Recordings of thermal cameras: pictures, arrays and tables of temperatures; drawings as heat on a wall."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from omnibind_ros.modalities.definition import Picture
from omnibind_ros.modalities.files import NUMBERS, PICTURES, FileFormats, RecordedArray, three_channels
from omnibind_ros.modalities.image.encodings import to_intensity
from omnibind_ros.modalities.pictures import SIDE, ink_of
from omnibind_ros.modalities.thermal.simulation import see_heat
from omnibind_ros.simulation.retrace import retrace
from omnibind_ros.types import Floats


def thermal_from_array(array: RecordedArray, format: object) -> Floats:
    """float32 [H,W]; of a false-colour picture its luma, which such colour maps keep monotone."""
    values = array.values
    if values.ndim == 3 and values.shape[2] == 3:
        return to_intensity(values)
    array.expect(values.ndim == 2, "a thermal picture [H, W]")
    return array.scaled


FILES = FileFormats(arrays=(*PICTURES, *NUMBERS), from_array=thermal_from_array)


def picture_as_heat(picture: Picture, rng: np.random.Generator) -> Floats:
    """Traced on a wall by a warm finger before the simulated thermal camera."""
    return see_heat(partial(retrace, ink_of(picture)), rng)


def heat_as_picture(picture: Floats) -> Picture:
    """The thermal picture's own range as shades of grey, coldest black."""
    finite = np.nan_to_num(picture, nan=float(np.nanmin(picture)))
    low, high = np.percentile(finite, (1.0, 99.5))
    grey = np.clip((finite - low) / max(float(high - low), 1e-6), 0, 1)
    return three_channels(
        cv2.resize(np.asarray(255 * grey, np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    )
