"""Recordings of pictures as recordings of another modality, for training.

Distillation into a student's head hardly changes its backbone; pictures that pass the model of its own sensor
train all of it. How a modality senses a picture is in `recordings.py` of its folder.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.modalities.definition import Picture
from omnibind_ros.modalities.registry import find, having
from omnibind_ros.names import nearest
from omnibind_ros.types import Modality


def as_modality(
    pictures: Iterable[Recording], modality: Modality, seed: int = 0, per_class: int | None = None
) -> list[Recording]:
    """Recordings of drawings converted to recordings of `modality`, each paired with its picture.

    Drawings may be light on dark or dark on light. The same seed gives the same samples.

    Args:
        per_class: largest number per label.

    Raises:
        ConfigError: pictures cannot be converted into `modality`.
    """
    known = find(modality)
    if known is None or known.from_picture is None:
        hint = nearest(modality, having("from_picture"))
        raise ConfigError(f"pictures cannot be converted into {modality!r}{hint}")
    sense = known.from_picture.load()
    return [
        Recording(
            modality,
            made_of(picture.source, modality),
            f"{picture.name} as {modality}",
            picture.label,
            picture.group,
            partial(_sensed, picture, sense, seed),
            pair=picture.pair or picture.name,
        )
        for picture in _first(pictures, per_class)
    ]


def made_of(source: str, modality: Modality) -> str:
    """The name of the source of samples of `modality` made from the pictures of `source`."""
    return f"{source} as {modality}"


def _first(pictures: Iterable[Recording], per_class: int | None) -> Iterator[Recording]:
    taken: Counter[str | None] = Counter()
    for picture in pictures:
        taken[picture.label] += 1
        if per_class is None or taken[picture.label] <= per_class:
            yield picture


def _sensed(picture: Recording, sense: Callable[[Picture, np.random.Generator], Any], seed: int) -> Any:
    name = int.from_bytes(hashlib.sha256(picture.name.encode()).digest()[:8], "big")
    return sense(picture.load(), np.random.default_rng((seed, name)))
