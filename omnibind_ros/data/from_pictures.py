"""Pictures turned into another sensor's own kind of input: what a camera knows, the other may learn.

Distilling into a student's head alone teaches it little; pictures seen through a model of its own sensor
reach its backbone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.data.recording import Recording
from omnibind_ros.sensors.events import Events
from omnibind_ros.simulation.event import film_picture


def picture_as_events(picture: NDArray[np.uint8], rng: np.random.Generator) -> Events:
    """A light-on-dark digit uint8 [H,W,3], at most 50 pixels a side, filmed by the simulated event camera."""
    return film_picture(picture[..., 0].astype(np.float32) / np.float32(255), rng)


VIEWS: dict[str, Callable[[NDArray[np.uint8], np.random.Generator], Any]] = {"event": picture_as_events}
"""How a picture becomes a raw sample of a modality."""


def as_modality(pictures: Iterable[Recording], modality: str, seed: int = 0) -> list[Recording]:
    """Recordings of pictures as recordings of `modality`; the same seed gives the same samples."""
    return [
        Recording(
            modality,
            f"{picture.source} as {modality}",
            f"{picture.name} as {modality}",
            picture.label,
            picture.group,
            partial(_view, picture, modality, seed),
        )
        for picture in pictures
    ]


def _view(picture: Recording, modality: str, seed: int) -> Any:
    name = int.from_bytes(hashlib.sha256(picture.name.encode()).digest()[:8], "big")
    return VIEWS[modality](picture.load(), np.random.default_rng((seed, name)))
