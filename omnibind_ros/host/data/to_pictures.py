"""How a modality's sample becomes a picture: an image teacher can then say what an unlabelled one shows.

All pictures are drawings light on dark, framed as handwriting is in MNIST: 20 of 28 parts of the side. The
way back, a picture as another sensor would sense it, is `omnibind_ros.host.data.from_pictures`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.modalities.event.events import Events

SIDE = 56
_INK = SIDE * 20 // 28
_FAINT = 0.08
_PEN = 3.4  # pixels wide
_SUBPIXELS = 8

Picture = NDArray[np.uint8]


def events_as_picture(events: Events) -> Picture:
    """Where there was movement, whatever its direction."""
    counts = np.zeros((events.height, events.width), np.float32)
    np.add.at(counts, (events.y, events.x), 1)
    moved = _stretched(counts)
    return _framed(np.where(moved < 0.25, 0, moved))


def touch_as_picture(frames: NDArray[np.float32]) -> Picture:
    """Where the skin was touched, for how long."""
    return _framed(np.sqrt(_stretched(frames.sum(axis=0))))


def points_as_picture(points: NDArray[np.float32]) -> Picture:
    """A line through the points in their order, from the front (x to the right, y up)."""
    flat = points[:, :2] * np.array([1, -1], np.float32)
    flat = flat - flat.min(axis=0)
    flat *= _INK / max(float(flat.max()), 1e-6)
    flat += (SIDE - flat.max(axis=0)) / 2
    large = np.zeros((SIDE * 4, SIDE * 4), np.uint8)
    corners = np.round(flat * (4 * _SUBPIXELS)).astype(np.int32)
    cv2.polylines(large, [corners], False, 255, round(4 * _PEN), cv2.LINE_8, shift=3)
    return _rgb(cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA))


def heat_as_picture(picture: NDArray[np.float32]) -> Picture:
    """The thermal picture's own range as shades of grey, coldest black."""
    finite = np.nan_to_num(picture, nan=float(np.nanmin(picture)))
    low, high = np.percentile(finite, (1.0, 99.5))
    grey = np.clip((finite - low) / max(float(high - low), 1e-6), 0, 1)
    return _rgb(cv2.resize(np.asarray(255 * grey, np.uint8), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC))


def _as_it_is(picture: Picture) -> Picture:
    return picture


RENDERINGS: dict[str, Callable[[Any], Picture]] = {
    "image": _as_it_is,
    "event": events_as_picture,
    "touch": touch_as_picture,
    "point_cloud": points_as_picture,
    "thermal": heat_as_picture,
}
"""How a raw sample of a modality becomes a picture uint8 [H,W,3]; sound and text have none."""


class Looks:
    """The picture that belongs to a recording: that of its moment, else the sample itself as a picture.

    Args:
        pictures: what cameras recorded; recordings of the same moment share their `pair`.
    """

    def __init__(self, pictures: Iterable[Recording]) -> None:
        self._of_moment = {p.pair or p.name: p for p in pictures}

    def __call__(self, recording: Recording) -> Picture | None:
        """uint8 [H,W,3], or None: no camera saw it, and it cannot be shown.

        Raises:
            BadRecording: the file cannot be read.
        """
        paired = self._of_moment.get(recording.pair) if recording.pair else None
        if paired is not None:
            picture: Picture = paired.load()
            return picture
        show = RENDERINGS.get(recording.modality)
        return show(recording.load()) if show is not None else None


def shown(recordings: Iterable[Recording]) -> list[Recording]:
    """Recordings as recordings of pictures, those that can be shown."""
    return [
        Recording(
            "image",
            f"{r.source} shown",
            f"{r.name} shown",
            r.label,
            r.group,
            partial(_show, r),
        )
        for r in recordings
        if r.modality in RENDERINGS
    ]


def _show(recording: Recording) -> Picture:
    return RENDERINGS[recording.modality](recording.load())


def _stretched(counts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Counts as shades in [0,1]; what nine tenths of the active cells reach is white."""
    active = counts[counts > 0]
    return np.clip(counts / np.percentile(active, 90), 0, 1) if len(active) else counts


def _framed(shade: NDArray[np.float32]) -> Picture:
    """What is drawn, enlarged to fill the frame."""
    rows, columns = (np.flatnonzero((shade > _FAINT).any(axis=axis)) for axis in (1, 0))
    frame = np.zeros((SIDE, SIDE), np.float32)
    if len(rows) and len(columns):
        drawn = shade[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = _INK / max(drawn.shape)
        height, width = (max(1, round(side * scale)) for side in drawn.shape)
        large = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_CUBIC)
        top, left = (SIDE - height) // 2, (SIDE - width) // 2
        frame[top : top + height, left : left + width] = large.clip(0, 1)
    return _rgb((255 * frame).astype(np.uint8))


def _rgb(grey: NDArray[Any]) -> Picture:
    return np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=-1)
