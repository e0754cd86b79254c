"""The space that students learn: a teacher's, moved to the mean of the classes.

Raw cosines between number words are 0.6 to 0.9 in a sentence encoder's space: everything sits in one narrow
cone. Pictures sit in a cone of their own (the modality gap of CLIP: Liang et al., arXiv 2203.02053). Texts
and pictures are therefore each moved by the mean of their own classes, and normalised again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.models.teachers.teacher import TextTeacher, Vectors


@dataclass(frozen=True, eq=False)
class Anchors:
    """The class centres of a label bank, and the shift that makes them a space.

    Attributes:
        centres: float32 [K,D], unit norm: mean over a label's descriptions, centred.
        origin: float32 [D], the point of the teacher's space that becomes 0.
    """

    centres: Vectors
    origin: Vectors


def make_anchors(teacher: TextTeacher, descriptions: list[list[str]]) -> Anchors:
    """One centre a label out of many descriptions (UniBind, arXiv 2403.12532), centred over the labels."""
    means = np.stack([teacher.encode_texts(texts).mean(axis=0) for texts in descriptions])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    origin = means.mean(axis=0)
    return Anchors(moved_to(means, origin), origin.astype(np.float32))


def moved_to(vectors: NDArray[np.floating], origin: NDArray[np.floating]) -> Vectors:
    """Vectors [n,D] as seen from `origin` [D], unit norm again."""
    moved = vectors - origin
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9), np.float32)
