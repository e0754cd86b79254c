"""A thermal camera looking at a wall on which a warm finger has just written a digit.

Each moment of contact is a point source of heat; the picture is the exact solution of the heat equation
in the plane with Newton cooling: a source of age a has spread to variance s^2 = finger^2 + 2 D a and kept
exp(-a / tau) of its heat. So the first stroke is wider and fainter than the last. The wall cannot get
warmer than the skin. The camera adds a slope of the wall's own temperature, sometimes the writer's hand
at the rim, fixed-pattern and thermal noise.
"""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np

from omnibind_ros.simulation.hand import Draw, Stroke, write
from omnibind_ros.types import Floats

SIDE = 32


def simulate_thermal(label: int, rng: np.random.Generator) -> Floats:
    """A thermal picture float32 [32,32]: degrees Celsius, centikelvin or 8-bit auto-gain levels."""
    return see_heat(partial(write, label), rng)


def see_heat(draw: Draw, rng: np.random.Generator) -> Floats:
    """The same of anything that a warm finger draws."""
    wall = rng.uniform(16, 28)
    skin = rng.uniform(31, 35)
    heat = _trace(draw(rng, samples=160), rng)
    kelvin_above = (skin - wall) * rng.uniform(0.25, 0.7) * (1 - np.exp(-heat))
    slope = rng.normal(0, 0.25, 2)[:, None] * np.linspace(-1, 1, SIDE)
    picture = wall + kelvin_above + slope[0][:, None] + slope[1]
    if rng.random() < 0.3:
        palm = _palm(rng)
        picture += palm * (skin - rng.uniform(0, 3) - picture)
    picture = picture + rng.normal(0, rng.uniform(0.03, 0.22), picture.shape)
    picture += rng.normal(0, rng.uniform(0, 0.08), SIDE)
    return _as_read_out(picture.astype(np.float32), rng)


def _trace(stroke: Stroke, rng: np.random.Generator) -> Floats:
    """Heat left on the wall [32,32], about 1 to 2 on the freshest line."""
    stroke = stroke.framed(rng.uniform(0.55, 0.85), tuple(rng.uniform(0.44, 0.56, 2)))
    x, y = stroke.points[stroke.pen_down].T * SIDE - 0.5
    writing_s = rng.uniform(2, 8)
    age = writing_s * (1 - stroke.t[stroke.pen_down] / stroke.t[-1]) + rng.uniform(0.2, 4)
    variance = rng.uniform(0.7, 1.45) ** 2 + 2 * rng.uniform(0.005, 0.08) * age
    left = np.exp(-age / rng.uniform(6, 30)) / np.sqrt(variance) * rng.uniform(0.5, 1.1)
    waver_hz, waver = rng.uniform(0.2, 1.5), rng.uniform(0, 0.5)
    left *= 1 + waver * np.sin(2 * np.pi * (age * waver_hz + rng.random()))
    left *= np.hypot(np.gradient(x), np.gradient(y)) ** rng.uniform(0.5, 1.0)
    grid = np.arange(SIDE)
    rows = np.exp(-((grid - y[:, None]) ** 2) / (2 * variance[:, None]))
    columns = np.exp(-((grid - x[:, None]) ** 2) / (2 * variance[:, None]))
    return np.asarray((rows * left[:, None]).T @ columns, np.float32)


def _palm(rng: np.random.Generator) -> Floats:
    """How much of each pixel the writer's hand covers [32,32]: a soft ellipse reaching in over the rim."""
    angle, reach = rng.uniform(-0.3, np.pi / 2), rng.uniform(0.95, 1.2)
    centre = 0.5 + reach * 0.62 * np.array([np.cos(angle), np.sin(angle)])
    axes = rng.uniform(0.1, 0.22, 2)
    grid = (np.arange(SIDE) + 0.5) / SIDE
    distance = np.hypot((grid - centre[0]) / axes[0], ((grid - centre[1]) / axes[1])[:, None])
    return np.asarray(1 / (1 + np.exp((distance - 1) * rng.uniform(6, 14))), np.float32)


def _as_read_out(celsius: Floats, rng: np.random.Generator) -> Floats:
    scale = rng.integers(3)
    if scale == 0:
        return celsius
    if scale == 1:
        return np.round((celsius + 273.15) * 100).astype(np.float32)
    blurred = cv2.GaussianBlur(celsius, (0, 0), 0.5)
    low, high = np.percentile(blurred, [rng.uniform(2, 60), rng.uniform(97, 99.8)])
    level = np.clip((celsius - low) / max(float(high - low), 0.05), 0, 1)
    return np.asarray(np.round(level * 255), np.float32)
