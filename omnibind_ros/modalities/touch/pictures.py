"""Drawings as strokes on a skin, and strokes as pictures."""

from __future__ import annotations

from functools import partial

import numpy as np

from omnibind_ros.modalities.definition import Picture
from omnibind_ros.modalities.pictures import framed, ink_of, stretched
from omnibind_ros.modalities.touch.simulation import feel
from omnibind_ros.simulation.hand import Floats
from omnibind_ros.simulation.retrace import retrace


def picture_as_touch(picture: Picture, rng: np.random.Generator) -> Floats:
    """Traced by a finger on the simulated skin."""
    return feel(partial(retrace, ink_of(picture)), rng)


def touch_as_picture(frames: Floats) -> Picture:
    """Where the skin was touched, for how long."""
    return framed(np.sqrt(stretched(frames.sum(axis=0))))
