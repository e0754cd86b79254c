"""How depth sensors fail."""

from __future__ import annotations

import numpy as np

from omnibind_ros.simulation.hand import Floats


def noisy_points(points: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Positions off by up to a third of the cloud's size."""
    size = float(np.ptp(points, axis=0).max())
    return points + (0.33 * strength * size * rng.standard_normal(points.shape)).astype(np.float32)


def sparse_points(points: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """One part of the cloud is hidden."""
    keep = max(8, round(len(points) * (1 - 0.85 * strength)))
    side = points @ rng.standard_normal(3).astype(np.float32)
    return points[np.sort(np.argsort(side)[:keep])]


def stray_points(points: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Dust and reflections: up to three stray points for each of the cloud, in a box half as large again."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.25 * float((high - low).max())
    stray = rng.uniform(low - margin, high + margin, (round(3 * strength * len(points)), 3))
    return np.concatenate([points, stray.astype(np.float32)])


def thin_points(points: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """A dark surface: few points come back, from anywhere."""
    keep = max(8, round(len(points) * (1 - 0.97 * strength)))
    return points[np.sort(rng.permutation(len(points))[:keep])]


CORRUPTIONS = (noisy_points, sparse_points, stray_points, thin_points)
