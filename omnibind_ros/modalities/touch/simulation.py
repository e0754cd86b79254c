"""A 16 x 16 tactile skin on which a finger traces a digit, event-coded.

The fingertip presses a patch of taxels about one pitch wide. Taxels are integrate-and-fire cells:
pressure above a cell's own threshold charges it, and it spikes each time the charge is full, at most once
a frame. A slow or firm finger therefore leaves many spikes and a quick light one leaves gaps, as in the
recordings of STEMNIST (Tripathi et al. 2026).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from omnibind_ros.simulation.hand import Draw, write
from omnibind_ros.types import Floats

SIDE, FRAMES, RATE_HZ = 16, 240, 120


def simulate_touch(label: int, rng: np.random.Generator) -> Floats:
    """Spikes float32 [240,16,16] of 0 and 1: 2 s at 120 Hz."""
    return feel(partial(write, label), rng)


def feel(draw: Draw, rng: np.random.Generator) -> Floats:
    """The same of anything that a finger draws."""
    first = int(np.clip(rng.normal(50, 16), 4, 110))
    last = int(np.clip(first + np.clip(rng.normal(108, 26), 55, 190), first + 50, FRAMES - 4))
    stroke = draw(rng, samples=last - first)
    stroke = stroke.framed(rng.uniform(0.5, 0.78), tuple(rng.normal((0.47, 0.5), 0.03)))
    force = stroke.pen_down * _force(len(stroke.t), rng)
    x, y = stroke.points.T * SIDE - 0.5
    finger, grid = rng.uniform(0.4, 0.65), np.arange(SIDE)
    columns = np.exp(-0.5 * ((grid - x[:, None]) / finger) ** 2)
    rows = np.exp(-0.5 * ((grid - y[:, None]) / finger) ** 2)
    pressure = (rows * force[:, None])[:, :, None] * columns[:, None, :]
    spikes = np.zeros((FRAMES, SIDE, SIDE), np.float32)
    spikes[first:last] = _fire(pressure, rng)
    _stray(spikes, rng)
    return spikes


def _force(count: int, rng: np.random.Generator) -> Floats:
    """How firmly the finger presses over time, float32 [count], 0.2 to 3: it lands, wavers and lifts."""
    u = np.linspace(0, 1, count)
    waver = np.sin(2 * np.pi * (np.outer(u, rng.uniform(0.5, 5, 3)) + rng.uniform(0, 1, 3))).sum(1)
    land = np.minimum(1, np.minimum(u, 1 - u) * 16 + 0.3)
    return np.asarray(rng.uniform(0.8, 2.4) * (1 + rng.uniform(0.05, 0.2) * waver) * land, np.float32)


def _fire(pressure: Floats, rng: np.random.Generator) -> Floats:
    """Integrate-and-fire in every taxel: [T,16,16] -> spikes of 0 and 1."""
    threshold = rng.uniform(0.3, 0.7, (SIDE, SIDE))
    gain = rng.lognormal(0.0, 0.35, (SIDE, SIDE))
    charge = np.cumsum(np.clip(3.5 * (pressure - threshold) * gain, 0, 0.95), axis=0)
    full = np.floor(charge + rng.uniform(0, 0.6, (SIDE, SIDE)))
    return np.diff(full, axis=0, prepend=0).astype(np.float32)


def _stray(spikes: Floats, rng: np.random.Generator) -> None:
    """Sometimes a taxel at the rim is touched by another finger."""
    if rng.random() < 0.08:
        start, length = rng.integers(0, FRAMES - 20), rng.integers(1, 20)
        spikes[start : start + length, rng.integers(0, SIDE), SIDE - 1] = rng.random(length) < 0.6
