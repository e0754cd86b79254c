"""Drawings: the ink on a picture, and pictures made of samples. Shared by several modalities, host only.

Pictures made of samples are light on dark and framed as handwriting is in MNIST: 20 of 28 parts of the side.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.definition import Picture
from omnibind_ros.modalities.files import three_channels
from omnibind_ros.modalities.image.preprocessing import centre_square

SIDE = 56
"""Pixels along each side of a picture that a sample becomes."""

DRAWN = SIDE * 20 // 28
"""Pixels along the longer side of what is drawn on it."""

_INK_SIDE = 28
_FAINT = 0.08


def ink_of(picture: Picture) -> NDArray[np.float32]:
    """Ink float32 [H,W] in [0,1], at most 28 pixels a side: 1 where the drawing is, whatever its colours."""
    grey = centre_square(picture)[..., :3].mean(axis=2, dtype=np.float32) / np.float32(255)
    if grey.shape[0] > _INK_SIDE:
        resized = cv2.resize(grey, (_INK_SIDE, _INK_SIDE), interpolation=cv2.INTER_AREA)
        grey = np.asarray(resized, np.float32)
    rim = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return np.asarray(1 - grey if np.median(rim) > 0.5 else grey, np.float32)


def stretched(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Counts as shades in [0,1]; the 90th percentile of the active cells becomes white."""
    active = counts[counts > 0]
    return np.clip(counts / np.percentile(active, 90), 0, 1) if len(active) else counts


def framed(shade: NDArray[np.float32]) -> Picture:
    """What is drawn in `shade` [H,W] in [0,1], enlarged to fill the frame."""
    rows, columns = (np.flatnonzero((shade > _FAINT).any(axis=axis)) for axis in (1, 0))
    frame = np.zeros((SIDE, SIDE), np.float32)
    if len(rows) and len(columns):
        drawn = shade[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = DRAWN / max(drawn.shape)
        height, width = (max(1, round(side * scale)) for side in drawn.shape)
        large = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_CUBIC)
        top, left = (SIDE - height) // 2, (SIDE - width) // 2
        frame[top : top + height, left : left + width] = large.clip(0, 1)
    return three_channels((255 * frame).astype(np.uint8))


def as_it_is(picture: Picture) -> Picture:
    """A sample that is a picture already."""
    return picture
