"""Recordings of tactile skins: arrays of frames; drawings as strokes on a skin."""

from __future__ import annotations

from functools import partial

import numpy as np

from omnibind_ros.modalities.definition import Picture
from omnibind_ros.modalities.files import FileFormats, RecordedArray
from omnibind_ros.modalities.pictures import framed, ink_of, stretched
from omnibind_ros.modalities.touch.simulation import feel
from omnibind_ros.simulation.retrace import retrace
from omnibind_ros.types import Floats


def touch_from_array(array: RecordedArray, format: object) -> Floats:
    """float32 [T,H,W]."""
    array.expect(array.values.ndim == 3, "touch frames [T, H, W]")
    return array.scaled


FILES = FileFormats(arrays=(".npy",), from_array=touch_from_array)


def picture_as_touch(picture: Picture, rng: np.random.Generator) -> Floats:
    """Traced by a finger on the simulated skin."""
    return feel(partial(retrace, ink_of(picture)), rng)


def touch_as_picture(frames: Floats) -> Picture:
    """Where the skin was touched, for how long."""
    return framed(np.sqrt(stretched(frames.sum(axis=0))))
