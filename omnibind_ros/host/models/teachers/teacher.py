"""What a teacher is: texts and pictures in, unit vectors of one space out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Picture = NDArray[np.uint8]


class TextTeacher(Protocol):
    """Text -> embedding.

    Attributes:
        id: changes whenever the answers would.
    """

    @property
    def id(self) -> str: ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Unit-norm float32 [len(texts), D]."""
        ...


class Teacher(TextTeacher, Protocol):
    """Text or picture -> embedding."""

    def encode_images(self, images: Sequence[Picture]) -> Vectors:
        """Unit-norm float32 [n, D] of pictures uint8 [H,W,3] RGB, which may differ in size."""
        ...
