"""A drawing followed by a hand: ink on a picture becomes the movement that could have left it.

The ink is thinned to lines one pixel wide (Zhang and Suen 1984) and walked along, from a free end, straight
on where lines cross. In which order people draw is guessed: from the top, each line as far as it goes.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from omnibind_ros.simulation.hand import Stroke, join_strokes, move_along, smooth
from omnibind_ros.types import Floats

_SIDE = 56
_SHORTEST = 5  # pixels of a line; what is shorter is a spur of the thinning
_MEMORY = 5  # steps over which the walk knows its direction

_Pixel = tuple[int, int]
_AROUND = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))


def retrace(ink: Floats, rng: np.random.Generator, samples: int) -> Stroke:
    """A movement along the ink [H,W] in [0,1] of a square picture; a dot in the middle if there is none."""
    large = cv2.resize(ink, (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    lines = _lines(_thin(large > 0.5 * max(float(large.max()), 1e-3)), rng)
    if not lines:
        lines = [np.array([[_SIDE / 2, _SIDE / 2 - 3], [_SIDE / 2, _SIDE / 2 + 3]])]
    rounding = int(rng.integers(2, 6))
    path, pen_down = join_strokes([smooth(line / _SIDE, rounding) for line in lines])
    return move_along(path, pen_down, rng, samples)


def _thin(ink: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Lines one pixel wide, connected as the ink is."""
    thin = np.pad(ink, 1)
    changed = True
    while changed:
        changed = False
        for step in (0, 1):
            p = np.stack([np.roll(thin, (-dy, -dx), (0, 1)) for dy, dx in _AROUND]).astype(np.int8)
            neighbours = p.sum(0)
            rises = ((p == 0) & (np.roll(p, -1, 0) == 1)).sum(0)
            north, east, south, west = p[0], p[2], p[4], p[6]
            if step == 0:
                open_side = (north * east * south == 0) & (east * south * west == 0)
            else:
                open_side = (north * east * west == 0) & (north * south * west == 0)
            peel = thin & (neighbours >= 2) & (neighbours <= 6) & (rises == 1) & open_side
            thin = thin & ~peel
            changed = changed or bool(peel.any())
    return thin[1:-1, 1:-1]


def _lines(thin: npt.NDArray[np.bool_], rng: np.random.Generator) -> list[npt.NDArray[np.float64]]:
    """Walks [M,2] (x, y) that together pass every pixel once."""
    left: set[_Pixel] = {(int(y), int(x)) for y, x in np.argwhere(thin)}
    lines = []
    while left:
        ends = [p for p in left if len(_near(p, left)) <= 1]
        # From the top, as people mostly do.
        start = min(ends or left, key=lambda p: (p[0] + 0.3 * p[1] + rng.uniform(0, 6), p))
        line = _walk(start, left)
        if len(line) >= _SHORTEST:
            lines.append(np.array(line, np.float64)[:, ::-1])
    return lines


def _walk(start: _Pixel, left: set[_Pixel]) -> list[_Pixel]:
    """As far as it goes from `start`, straight on at crossings; takes its pixels out of `left`."""
    line = [start]
    left.remove(start)
    while near := _near(line[-1], left):
        y, x = line[-1]
        before = line[-min(len(line), _MEMORY)]
        heading = (y - before[0], x - before[1])
        step = max(near, key=lambda p: (_straightness(heading, (p[0] - y, p[1] - x)), p))
        left.remove(step)
        line.append(step)
    return line


def _near(pixel: _Pixel, left: set[_Pixel]) -> list[_Pixel]:
    return [p for dy, dx in _AROUND if (p := (pixel[0] + dy, pixel[1] + dx)) in left]


def _straightness(heading: _Pixel, step: _Pixel) -> float:
    return (heading[0] * step[0] + heading[1] * step[1]) / float(np.hypot(*step))
