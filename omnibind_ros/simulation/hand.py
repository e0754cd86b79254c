"""A hand that writes digits.

Every digit has a few styles, as people write them (a 1 with and without foot, an open and a closed 4,
...). A style is a path of control points in percent of the writing box, x to the right and y down:

    "32,26 52,8! 52,92 | 30,92 74,92"      a smooth curve through the points, `!` a sharp corner, `|` pen up

`write` picks a style and a random hand (slant, aspect, rotation, waist, wobble, corner rounding, size,
pace) and returns the movement of the pen, moves through the air included, sampled at even times. The pen
slows down in curves by the two-thirds power law (Lacquaniti et al. 1983: speed ~ curvature^-1/3) and at
the ends of a stroke.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from omnibind_ros.types import Floats

STYLES: dict[int, tuple[str, ...]] = {
    0: (
        "50,8 30,17 20,38 20,62 30,84 50,92 70,84 80,62 80,38 70,17 50,8",
        "50,8 70,17 80,38 80,62 70,84 50,92 30,84 20,62 20,38 30,17 50,8",
        "66,13 45,9 27,22 20,48 27,78 48,92 70,82 80,55 74,25 58,10 40,14",
        "40,10 24,28 20,56 32,86 56,92 76,72 78,40 64,14 42,9 30,18",
    ),
    1: (
        "50,8 50,92",
        "50,8 50,92",
        "32,26 52,8! 52,92",
        "36,18 50,8! 50,92",
        "32,26 52,8! 52,92 | 30,92 74,92",
        "50,8 50,92 | 28,92 72,92",
    ),
    2: (
        "24,28 32,12 52,8 72,18 74,36 58,58 24,90! 78,90",
        "24,30 36,12 56,8 72,20 70,40 48,66 22,90! 80,91",
        "24,26 36,10 58,9 72,24 66,46 44,72 27,87 21,80 32,74 52,86 80,89",
        "24,28 32,12 52,8 72,18 74,36 58,58 24,88! 42,83 60,91 80,86",
        "25,20 48,8 72,13 71,32 52,60 23,90! 78,90",
    ),
    3: (
        "24,18 46,8 70,18 69,36 44,46! 73,56 78,76 54,92 22,80",
        "22,22 40,8 66,12 70,30 44,45! 70,52 79,72 58,92 20,84",
        "24,10 74,10! 46,42! 72,52 78,72 56,92 22,82",
        "24,18 46,8 70,18 66,38 46,46 70,54 78,74 54,92 22,80",
    ),
    4: (
        "34,10 22,58! 80,58 | 64,30 62,92",
        "30,10 26,46 34,58 80,54 | 68,10 62,92",
        "62,8 18,64! 82,64 | 62,8 62,92",
        "36,12 22,58! 66,58! 68,10! 63,92",
        "62,8 18,62! 80,62 | 60,40 58,92",
        "58,92 62,8! 18,62! 82,62",
    ),
    5: (
        "76,10 30,10! 28,44! 52,37 76,54 74,78 50,92 22,84",
        "78,13 34,10! 26,46! 50,40 76,54 75,78 48,92 20,86",
        "32,10 28,44! 52,38 76,54 74,78 50,92 22,84 | 32,10 78,10",
        "76,12 38,13! 31,42 54,48 72,66 58,88 24,90",
    ),
    6: (
        "68,10 42,24 24,54 26,80 48,92 72,82 74,64 56,52 34,58 26,72",
        "62,8 36,36 24,66 34,90 60,92 76,74 62,56 38,62 28,76",
        "70,12 50,8 30,26 22,56 28,82 50,92 74,80 72,60 50,52 28,64",
    ),
    7: (
        "22,12 76,12! 44,92",
        "22,14 76,10! 56,46 48,92",
        "22,12 76,12! 42,92 | 32,52 70,50",
        "22,26 24,12! 78,12! 58,46 46,92",
        "20,17 40,10 60,15 78,10! 54,48 44,92",
    ),
    8: (
        "70,20 50,8 30,18 32,36 52,48 74,64 72,84 50,92 28,84 28,64 50,47 68,34 70,20",
        "66,12 46,8 30,20 36,38 56,50 74,68 66,88 44,92 27,80 32,62 54,46 70,28 68,14",
        "50,48 30,34 32,14 50,8 68,14 70,34 50,48 28,64 28,86 50,92 72,86 72,64 50,48",
        "50,8 32,16 32,36 50,46 68,36 68,16 50,8 | 50,46 28,58 26,82 50,92 74,82 72,58 50,46",
    ),
    9: (
        "72,22 54,8 30,16 26,38 44,50 66,42 73,18! 70,92",
        "72,24 54,8 30,16 26,38 44,50 66,42 73,22 72,60 60,86 32,90",
        "70,18 50,8 30,20 30,42 52,50 70,36 72,12! 58,92",
        "68,18 48,8 28,20 30,42 50,50 68,38 69,17 | 71,10 69,92",
    ),
}


@dataclass(frozen=True)
class Stroke:
    """One written digit: `points` float32 [N,2] in the unit square (x right, y down), `t` float32 [N] s,
    evenly spaced from 0, and `pen_down` bool [N], False while the pen moves through the air."""

    points: Floats
    t: Floats
    pen_down: npt.NDArray[np.bool_]

    def framed(self, size: float, centre: tuple[float, float]) -> Stroke:
        """The same stroke with its ink's bounding box centred on `centre` and its longer side `size`."""
        ink = self.points[self.pen_down]
        low, high = ink.min(0), ink.max(0)
        scale = size / max(float((high - low).max()), 1e-6)
        points = (self.points - (low + high) / 2) * scale + np.asarray(centre)
        return Stroke(points.astype(np.float32), self.t, self.pen_down)


class Draw(Protocol):
    """Whatever moves a pen or a finger, once."""

    def __call__(self, rng: np.random.Generator, samples: int) -> Stroke: ...


def write(label: int, rng: np.random.Generator, samples: int = 160) -> Stroke:
    """The digit `label` (0-9) once, in a style and a hand drawn from `rng`; `samples` points from the first
    contact to the last. Takes 0.6 to 1.8 s of writing time. Raises KeyError for another label."""
    styles = _PATHS[label]
    path, pen_down = _trace(styles[rng.integers(len(styles))], rng)
    return move_along(_deform(path, rng), pen_down, rng, samples)


def move_along(
    path: npt.NDArray[np.float64], pen_down: npt.NDArray[np.bool_], rng: np.random.Generator, samples: int
) -> Stroke:
    """A pen's way along an evenly stepped path [M,2] at the pace of a hand, somewhere in the unit square."""
    t = _pace(path, pen_down, rng)
    clock = np.linspace(0.0, t[-1], samples)
    points = np.stack([np.interp(clock, t, path[:, 0]), np.interp(clock, t, path[:, 1])], axis=1)
    down = pen_down[np.searchsorted(t, clock).clip(0, len(t) - 1)]
    stroke = Stroke(points.astype(np.float32), clock.astype(np.float32), down)
    size = rng.uniform(0.6, 0.92)
    margin = (1 - size) / 2
    return stroke.framed(size, tuple(0.5 + rng.uniform(-margin, margin, 2) * 0.7))


_Style = list[tuple[npt.NDArray[np.float64], npt.NDArray[np.intp]]]
_STEP = 0.01  # spacing of the traced path, in writing boxes


def _parse(style: str) -> _Style:
    """Control points [M,2] of each stroke and how often each is repeated: a repeated point is a corner."""
    strokes: _Style = []
    for text in style.split("|"):
        words = text.split()
        points = np.array([[float(v) for v in word.rstrip("!").split(",")] for word in words]) / 100
        repeats = np.array([2 if word.endswith("!") else 1 for word in words])
        repeats[[0, -1]] = 2
        strokes.append((points, repeats))
    return strokes


_PATHS = {label: tuple(_parse(style) for style in styles) for label, styles in STYLES.items()}


def _trace(style: _Style, rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The pen's path at even steps, with straight moves through the air between the strokes."""
    jitter, rounding = rng.uniform(0.008, 0.028), int(rng.integers(0, 6))
    controls = (np.repeat(points + rng.normal(0, jitter, points.shape), n, axis=0) for points, n in style)
    return join_strokes([_round(_even(_spline(control)), rounding) for control in controls])


def join_strokes(
    strokes: list[npt.NDArray[np.float64]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Evenly stepped strokes [M,2] with straight moves through the air between; where the pen is down."""
    pieces: list[npt.NDArray[np.float64]] = []
    for stroke in strokes:
        if pieces:
            pieces.append(_even(np.stack([pieces[-1][-1], stroke[0]]))[1:-1])
        pieces.append(stroke)
    down = np.repeat([i % 2 == 0 for i in range(len(pieces))], [len(p) for p in pieces])
    return np.concatenate(pieces), down


def smooth(stroke: npt.NDArray[np.float64], rounding: int) -> npt.NDArray[np.float64]:
    """A stroke [M,2] at even steps, its corners rounded."""
    return _round(_even(stroke), rounding)


def _spline(control: npt.NDArray[np.float64], density: int = 10) -> npt.NDArray[np.float64]:
    """Uniform Catmull-Rom spline (Catmull and Rom 1974) through all control points, in order."""
    p = np.concatenate([control[:1], control, control[-1:]])
    u = np.linspace(0, 1, density, endpoint=False)[:, None, None]
    p0, p1, p2, p3 = p[:-3], p[1:-2], p[2:-1], p[3:]
    curve = p1 + 0.5 * u * (p2 - p0 + u * (2 * p0 - 5 * p1 + 4 * p2 - p3 + u * (3 * (p1 - p2) + p3 - p0)))
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), control[-1:]])


def _even(path: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """`path` resampled at even distances of about `_STEP`."""
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))])
    at = np.linspace(0, length[-1], max(3, int(length[-1] / _STEP) + 1))
    return np.stack([np.interp(at, length, path[:, 0]), np.interp(at, length, path[:, 1])], axis=1)


def _round(path: npt.NDArray[np.float64], radius: int) -> npt.NDArray[np.float64]:
    """Corners rounded by a running mean over 2 x `radius` + 1 points."""
    padded = np.pad(path, ((radius + 1, radius), (0, 0)), mode="edge")
    total = np.cumsum(padded, axis=0)
    width = 2 * radius + 1
    return np.asarray((total[width:] - total[:-width]) / width)


def _deform(path: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """What makes a hand: waist height, wedge, aspect, slant, rotation, and a slow wobble along the path."""
    x, y = (path - 0.5).T
    y = y + rng.uniform(-0.07, 0.07) * np.cos(np.pi * y)
    x = x * (1 + rng.uniform(-0.35, 0.35) * y) * rng.uniform(0.62, 1.18)
    x = x - np.tan(rng.normal(0.12, 0.16)) * y
    angle = rng.normal(0, 0.07)
    x, y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    cycles = rng.uniform(0.3, 3.0, (2, 3, 1)) * np.arange(len(path)) * _STEP
    wobble = np.sin(2 * np.pi * (cycles + rng.uniform(0, 1, (2, 3, 1)))).sum(1) * rng.uniform(0, 0.01)
    return np.stack([x + wobble[0], y + wobble[1]], axis=1)


def _pace(
    path: npt.NDArray[np.float64], pen_down: npt.NDArray[np.bool_], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """When the pen is at each point of an evenly stepped `path`, s from 0."""
    step = np.diff(path, axis=0)
    turn = np.abs(np.diff(np.unwrap(np.arctan2(step[:, 1], step[:, 0]))))
    curvature = np.convolve(np.pad(turn, 3, mode="edge"), np.full(5, 0.2), mode="same")[2:-2] / _STEP
    speed = (curvature + 1.0) ** (-1 / 3)
    ends = np.flatnonzero(np.diff(pen_down, prepend=~pen_down[0], append=~pen_down[-1]))
    nearest = np.abs(np.arange(len(path))[:, None] - ends).min(1) * _STEP
    speed = speed * np.minimum(1.0, rng.uniform(0.08, 0.5) + 5 * nearest) * np.where(pen_down, 1.0, 1.6)
    spacing = np.hypot(*step.T)
    t = np.concatenate([[0.0], np.cumsum(spacing / (0.5 * (speed[1:] + speed[:-1])))])
    return np.asarray(t * (rng.uniform(0.6, 1.8) / t[-1]))
