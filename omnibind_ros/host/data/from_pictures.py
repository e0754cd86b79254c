"""How a picture becomes a modality's own kind of input: what a camera knows, the other may learn.

Distilling into a student's head alone teaches it little; pictures seen through a model of its own sensor
reach its backbone. The way back, a sample shown as a picture, is `omnibind_ros.host.data.to_pictures`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.simulation import film_picture
from omnibind_ros.modalities.image.preprocessing import centre_square
from omnibind_ros.modalities.point_cloud.simulation import track
from omnibind_ros.modalities.thermal.simulation import see_heat
from omnibind_ros.modalities.touch.simulation import feel
from omnibind_ros.simulation.retrace import retrace

_SIDE = 28


def picture_as_events(picture: NDArray[np.uint8], rng: np.random.Generator) -> Events:
    """Filmed by the simulated event camera."""
    return film_picture(_ink(picture), rng)


def picture_as_touch(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Traced by a finger on the simulated skin."""
    return feel(partial(retrace, _ink(picture)), rng)


def picture_as_points(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Drawn in the air before the simulated hand tracker."""
    return track(partial(retrace, _ink(picture)), rng)


def picture_as_heat(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.float32]:
    """Traced on a wall by a warm finger before the simulated thermal camera."""
    return see_heat(partial(retrace, _ink(picture)), rng)


VIEWS: dict[str, Callable[[NDArray[np.uint8], np.random.Generator], Any]] = {
    "event": picture_as_events,
    "touch": picture_as_touch,
    "point_cloud": picture_as_points,
    "thermal": picture_as_heat,
}
"""How a drawing uint8 [H,W,3] (light on dark or dark on light) becomes a raw sample of a modality."""


def as_modality(
    pictures: Iterable[Recording], modality: str, seed: int = 0, per_class: int | None = None
) -> list[Recording]:
    """Recordings of pictures as recordings of `modality`, each paired with its picture.

    The same seed gives the same samples.

    Args:
        per_class: at most so many of each label.
    """
    return [
        Recording(
            modality,
            made_of(picture.source, modality),
            f"{picture.name} as {modality}",
            picture.label,
            picture.group,
            partial(_view, picture, modality, seed),
            pair=picture.pair or picture.name,
        )
        for picture in _first(pictures, per_class)
    ]


def made_of(source: str, modality: str) -> str:
    """The source of samples of `modality` that were made of the pictures of `source`."""
    return f"{source} as {modality}"


def _first(pictures: Iterable[Recording], per_class: int | None) -> Iterator[Recording]:
    taken: Counter[str | None] = Counter()
    for picture in pictures:
        taken[picture.label] += 1
        if per_class is None or taken[picture.label] <= per_class:
            yield picture


def _view(picture: Recording, modality: str, seed: int) -> Any:
    name = int.from_bytes(hashlib.sha256(picture.name.encode()).digest()[:8], "big")
    return VIEWS[modality](picture.load(), np.random.default_rng((seed, name)))


def _ink(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Ink float32 [H,W] in [0,1], at most 28 pixels a side: 1 where the drawing is, whatever its colours."""
    grey = centre_square(picture)[..., :3].mean(axis=2, dtype=np.float32) / np.float32(255)
    if grey.shape[0] > _SIDE:
        grey = np.asarray(cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), np.float32)
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return np.asarray(1 - grey if np.median(rim) > 0.5 else grey, np.float32)
