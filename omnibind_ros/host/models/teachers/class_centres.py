"""Class centres: the mean of many descriptions of each class, centred over the classes.

Raw cosines between number words are 0.6 to 0.9 in a sentence encoder's space: all vectors lie in one narrow
cone. Pictures lie in a cone of their own (the modality gap of CLIP: Liang et al., arXiv 2203.02053). So texts
and pictures are each moved by the mean of their own classes and normalised again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.models.teachers.teacher import TextTeacher, Vectors


def make_class_centres(teacher: TextTeacher, descriptions: list[list[str]]) -> Vectors:
    """One centre per class, float32 [K, D] of unit norm (UniBind, arXiv 2403.12532).

    Args:
        descriptions: the descriptions of each class.
    """
    means = np.stack([teacher.encode_texts(texts).mean(axis=0) for texts in descriptions])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    return centred(means, means.mean(axis=0))


def centred(vectors: NDArray[np.floating], origin: NDArray[np.floating]) -> Vectors:
    """Vectors [n, D] minus `origin` [D], normalised to unit norm."""
    moved = vectors - origin
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-9), np.float32)
