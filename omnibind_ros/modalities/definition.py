"""What a modality is: one `ModalityDefinition`, in the `__init__.py` of a folder that holds all parts.

    preprocessing.py   message -> raw sample -> model input, on the robot as in training
    messages.py        raw samples -> messages of a driver, in time
    simulation.py      digit -> raw sample                                     }
    recordings.py      files and pictures -> raw samples -> pictures           }  imported on the host only
    training.py        student, augmentation, and how the sensor fails         }

The definition names its parts as `Lazy` objects, which are imported when they are used: an audio encoder
imports no OpenCV, and a robot nothing of the host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.types import Modality

if TYPE_CHECKING:
    from omnibind_ros.modalities.files import FileFormats
    from omnibind_ros.modalities.frames import Frames
    from omnibind_ros.modalities.preprocessor import Preprocessor

T = TypeVar("T")

Simulate = Callable[[int, np.random.Generator], Any]
"""Digit 0 to 9 -> raw sample."""

Change = Callable[[Any, np.random.Generator], Any]
"""Raw sample -> changed raw sample; the argument is left as it is."""

Corrupt = Callable[[Any, float, np.random.Generator], Any]
"""Raw sample, strength from 0 (untouched) to 1 (nothing usable left) -> raw sample of a failing sensor."""

Picture = NDArray[np.uint8]
"""uint8 [H,W,3] RGB."""


@dataclass(frozen=True)
class Lazy(Generic[T]):
    """An object that is imported when it is first loaded.

    Attributes:
        target: `package.module:name`.
    """

    target: str

    def load(self) -> T:
        """The object. Raises ImportError or AttributeError if there is none."""
        loaded: T = resolve_name(self.target)
        return loaded


def load(part: Lazy[T] | None) -> T | None:
    """A part of a definition, or None if the modality does not have it."""
    return None if part is None else part.load()


@dataclass(frozen=True, kw_only=True)
class ModalityDefinition:
    """A modality, declared in one place.

    Attributes:
        name: lower-case letters, digits and '_'; a built-in modality's folder has the same name.
        reads: message types that its preprocessor decodes.
        preprocessor: messages -> raw samples -> model inputs.
        min_timeout_s: a sensor is live for at least this long after an embedding; None = as for any other
            modality. Give it where samples are far apart because they are long (words, strokes).
        hold_s: a sensor stays live for this long instead, `inf` = until the next embedding, and may repeat
            itself; None = it does not.
        publishes: message type of `frames`; "" = samples cannot be played.
        depth: how many of these messages a subscriber must be able to hold back.
        frames: raw samples -> messages in time.
        covered: raw sample -> what the covered sensor delivers, for a camera.
        simulate: digit -> raw sample.
        augment: raw sample -> how it could also have come out.
        corruptions: what happens to raw samples when the sensor fails; their order numbers them in results.
        from_picture: picture of a drawing -> raw sample of the same drawing.
        to_picture: raw sample -> picture of it.
        files: how recordings are read.
        student: defaults of its student, by the keys of `student` in a recipe.
    """

    name: Modality
    reads: tuple[str, ...]
    preprocessor: Lazy[type[Preprocessor]]
    min_timeout_s: float | None = None
    hold_s: float | None = None

    publishes: str = ""
    depth: int = 5
    frames: Lazy[Frames] | None = None
    covered: Lazy[Change] | None = None

    simulate: Lazy[Simulate] | None = None
    augment: Lazy[Change] | None = None
    corruptions: Lazy[tuple[Corrupt, ...]] | None = None
    from_picture: Lazy[Callable[[Picture, np.random.Generator], Any]] | None = None
    to_picture: Lazy[Callable[[Any], Picture]] | None = None
    files: Lazy[FileFormats] | None = None
    student: Lazy[Mapping[str, Any]] | None = None
