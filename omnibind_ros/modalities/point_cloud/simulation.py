"""A hand tracker watching a fingertip draw a digit in the air.

The finger draws on a roughly upright plane in front of the user: tilted, a little curved, nearer at the
wrist's pivot. There is no pen to lift, so the moves between strokes are recorded too, and so are the
first and last moments in which the finger comes in and goes away. Coordinates are those of a tracker
lying on a table: metres, x to the right, y up, z towards the user.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from omnibind_ros.simulation.hand import Draw, write
from omnibind_ros.types import Floats


def simulate_point_cloud(label: int, rng: np.random.Generator) -> Floats:
    """Fingertip positions float32 [N,3] metres, N from 20 to 220, in the order drawn."""
    return track(partial(write, label), rng)


def track(draw: Draw, rng: np.random.Generator) -> Floats:
    """The same of anything that a finger draws in the air."""
    count = int(np.clip(np.exp(rng.normal(np.log(46), 0.42)), 20, 220))
    stroke = draw(rng, samples=count)
    height = np.clip(np.exp(rng.normal(np.log(0.165), 0.32)), 0.07, 0.38)
    flat = stroke.framed(1.0, (0.0, 0.0)).points * height * (1, -1)
    flat = _with_approach(flat, rng)
    x, y = flat.T
    tilt, curvature = rng.normal(0, 0.16, 2), rng.normal(0, 0.9)
    z = tilt[0] * x + tilt[1] * y + curvature * (x**2 + y**2)
    cloud = np.stack([x, y, z], axis=1) + _drift(len(x), rng) * (0.2, 0.2, 1.0)
    jitter = 0.0004 if rng.random() < 0.85 else rng.uniform(0.001, 0.003)
    cloud += rng.normal(0, jitter, cloud.shape)
    return np.asarray(cloud + rng.normal((-0.005, 0.25, -0.03), (0.03, 0.03, 0.025)), np.float32)


def _with_approach(flat: Floats, rng: np.random.Generator) -> Floats:
    """A few leading and trailing points where the finger arrives and leaves."""
    step = float(np.median(np.hypot(*np.diff(flat, axis=0).T)))
    tails = []
    for end in (flat[0], flat[-1]):
        count = int(rng.integers(0, 4))
        away = np.cumsum(rng.normal(rng.normal(0, 0.3, 2), 0.25, (count, 2)), axis=0) * step
        tails.append(end + away)
    return np.concatenate([tails[0][::-1], flat, tails[1]])[: max(20, min(220, len(flat) + 6))]


def _drift(count: int, rng: np.random.Generator) -> Floats:
    """Slow sway of the whole arm float32 [count,3] metres."""
    u = np.linspace(0, 1, count)[:, None]
    sway = rng.normal(0, 0.006, (2, 3))
    return np.asarray(sway[0] * u + sway[1] * np.sin(np.pi * u * rng.uniform(0.7, 2.5)), np.float32)
