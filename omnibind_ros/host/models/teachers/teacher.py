"""The interface of teachers: texts and pictures in, unit vectors of one space out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.definition import Picture

Vectors = NDArray[np.float32]


class TextTeacher(Protocol):
    """Embeds texts.

    Attributes:
        id: identifies the embeddings; another id means other embeddings.
    """

    @property
    def id(self) -> str: ...

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Embeddings of texts, float32 [len(texts), D] of unit norm."""
        ...


class Teacher(TextTeacher, Protocol):
    """Embeds texts and pictures."""

    def encode_images(self, images: Sequence[Picture]) -> Vectors:
        """Embeddings of pictures, which may differ in size, float32 [len(images), D] of unit norm."""
        ...
