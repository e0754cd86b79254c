"""Ink on a surface: a stroke turned into coverage, for every sensor that looks at something written."""

from __future__ import annotations

import cv2
import numpy as np

from omnibind_ros.simulation.hand import Stroke
from omnibind_ros.types import Floats


def rasterise(stroke: Stroke, side: int, width: float, oversample: int = 4) -> Floats:
    """Ink coverage float32 [side,side] in [0,1] of a pen `width` pixels wide; the unit square fills it."""
    canvas = np.zeros((side * oversample, side * oversample), np.uint8)
    corners = np.round(stroke.points * (side * oversample * 16)).astype(np.int32)
    runs = np.flatnonzero(np.diff(stroke.pen_down)) + 1
    lines = [
        piece
        for piece, down in zip(np.split(corners, runs), np.split(stroke.pen_down, runs), strict=True)
        if down[0]
    ]
    cv2.polylines(canvas, lines, False, 255, max(1, round(width * oversample)), cv2.LINE_8, shift=4)
    small = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(small / np.float32(255), np.float32)
