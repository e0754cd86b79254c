"""An event camera that looks at a drawn digit with three quick glances (saccades).

As in N-MNIST (Orchard et al. 2015) a digit on a screen is seen by a 34 x 34 pixel ATIS that moves along a
triangle and back in about 300 ms. Its digits are darker than the screen: the edge in front fires
`darker`, the edge behind `brighter`. Each pixel compares the logarithm of its light with the level of its
last event and fires when the difference passes its own contrast threshold (Lichtsteiner et al. 2008), at
most every 1.4 ms. Pixels leak (stray brighter events) and one may be hot.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from omnibind_ros.modalities.event.events import Events
from omnibind_ros.simulation.drawing import rasterise
from omnibind_ros.simulation.hand import write
from omnibind_ros.types import Floats

SIDE = 34
_MARGIN = 8  # of the screen seen around the field of view while the camera turns
_SCREEN = SIDE + 2 * _MARGIN
_STEP_MS = 4.0
_CORNERS = np.array([(-1.6, -1.7), (0.6, 3.0), (3.4, -1.7), (-1.6, -1.7)])  # where the digit rests, pixels
_STARTS_MS, _GLANCE_MS = np.array([-2.0, 102.0, 214.0]), 98.0
_FASTEST = 2  # events a pixel can fire in one step


def simulate_event(label: int, rng: np.random.Generator) -> Events:
    """About 4000 events in 0.3 s, times from 0."""
    middle = 0.5 + rng.normal(0, 0.7, 2) / _SCREEN
    stroke = write(label, rng).framed(rng.uniform(16.0, 19.5) / _SCREEN, (middle[0], middle[1]))
    return _glance(rasterise(stroke, _SCREEN, width=rng.uniform(1.1, 2.8)), rng)


def film_picture(ink: Floats, rng: np.random.Generator) -> Events:
    """The same camera in front of a picture of its own size or smaller: ink [H,W], 0 = screen, 1 = digit."""
    screen = np.zeros((_SCREEN, _SCREEN), np.float32)
    top, left = ((_SCREEN - side) // 2 for side in ink.shape)
    screen[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return _glance(screen, rng)


def _glance(ink: Floats, rng: np.random.Generator) -> Events:
    screen = _log_light(ink, rng)
    clock = np.arange(0.0, 308.0 + rng.uniform(0, 6), _STEP_MS)
    counts = _fire(screen, _gaze(clock, rng), rng)
    step, y, x = np.nonzero(counts)
    n = counts[step, y, x]
    repeats = np.abs(n)
    first = np.repeat(np.cumsum(repeats) - repeats, repeats)
    nth = np.arange(len(first)) - first
    phase = rng.uniform(0, 1, (SIDE, SIDE))  # each pixel's own, so that its events keep 1.4 ms apart
    step, y, x = np.repeat(np.stack([step, y, x]), repeats, axis=1)
    n = np.repeat(n, repeats)
    ms = (step + (nth + 0.7 * phase[y, x] + 0.3 * rng.random(len(nth))) / np.abs(n)) * _STEP_MS
    return _with_noise(x, y, ms, n > 0, float(clock[-1]), rng)


def _log_light(ink: Floats, rng: np.random.Generator) -> Floats:
    """Log intensity of the screen around the field of view."""
    ink = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.55, 0.75)) * rng.uniform(1.0, 1.3)
    return np.asarray(np.log(1 - rng.uniform(0.72, 0.9) * np.clip(ink, 0, 1)), np.float32)


def _gaze(clock: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Where the screen's middle is on the sensor at each moment: [T,2] pixels, minimum-jerk moves
    (Flash and Hogan 1985) between the corners."""
    corners = _CORNERS * rng.uniform(0.85, 1.1) + rng.normal(0, 0.15, _CORNERS.shape)
    starts = _STARTS_MS + rng.normal(0, 2, 3)
    u = np.clip((clock[:, None] - starts) / (_GLANCE_MS * rng.uniform(0.92, 1.0)), 0, 1)
    progress = u**3 * (10 - 15 * u + 6 * u**2)
    return np.asarray(corners[0] + progress @ np.diff(corners, axis=0))


def _fire(screen: Floats, gaze: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.int8]:
    """Net events of every pixel in every step, int8 [T,34,34]: above 0 brighter, below 0 darker."""
    middle = (len(screen) - 1) / 2
    threshold = (rng.uniform(0.15, 0.26) * rng.normal(1, 0.12, (SIDE, SIDE)).clip(0.6)).astype(np.float32)
    speed = np.float32(rng.uniform(0.5, 0.85))  # how much of a change the photoreceptor follows within a step
    counts = np.zeros((len(gaze), SIDE, SIDE), np.int8)
    seen = _view(screen, middle - gaze[0])
    level = seen + threshold * rng.uniform(-0.5, 0.5, seen.shape).astype(np.float32)
    for step, centre in enumerate(middle - gaze):
        seen += speed * (_view(screen, centre) - seen)
        fired = np.clip(np.trunc((seen - level) / threshold), -_FASTEST, _FASTEST)
        level += fired * threshold
        counts[step] = fired
    return counts


def _view(screen: Floats, centre: npt.NDArray[np.float64]) -> Floats:
    """The field of view [34,34] around `centre` (x, y) of the screen."""
    view = cv2.getRectSubPix(screen, (SIDE, SIDE), (float(centre[0]), float(centre[1])))
    return np.asarray(view, np.float32)


def _with_noise(
    x: npt.NDArray[np.intp],
    y: npt.NDArray[np.intp],
    ms: npt.NDArray[np.float64],
    p: npt.NDArray[np.bool_],
    end_ms: float,
    rng: np.random.Generator,
) -> Events:
    """The events with stray ones of leaking pixels and one hot pixel mixed in, in order of time."""
    leaks, hot = int(rng.poisson(130)), int(rng.poisson(16))
    hot_x, hot_y = rng.integers(0, SIDE, 2)
    x = np.concatenate([x, rng.integers(0, SIDE, leaks), np.full(hot, hot_x)])
    y = np.concatenate([y, rng.integers(0, SIDE, leaks), np.full(hot, hot_y)])
    ms = np.concatenate([ms, rng.uniform(0, end_ms, leaks + hot)])
    p = np.concatenate([p, np.ones(leaks, np.bool_), rng.random(hot) < 0.5])
    order = np.argsort(ms, kind="stable")
    t = (ms[order] * 1000).astype(np.int64) * 1000  # the camera's clock ticks in microseconds
    return Events(x[order].astype(np.uint16), y[order].astype(np.uint16), t, p[order], SIDE, SIDE)
