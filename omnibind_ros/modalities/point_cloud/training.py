"""How the student of point clouds is trained, and how depth sensors fail."""

from __future__ import annotations

import numpy as np

from omnibind_ros.types import Floats

STUDENT = {
    "widths": (32, 64, 128), "stem_stride": 2, "variants": 12, "samples": 100_000,
    "augment": {
        "rotation": 6, "scale": 0.08, "stretch": 0.08, "shift_x": 0.05, "shift_y": 0.05, "gain": 0.1,
    },
}  # fmt: skip


def augment_points(points: Floats, rng: np.random.Generator) -> Floats:
    """Seen a little from the side, drawn larger or slanted, unsteady, with points missing."""
    angles = rng.normal(0, (0.25, 0.3, 0.12))
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    around_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    warp = around_z @ around_y @ around_x @ np.diag(np.exp(rng.normal(0, 0.15, 3)))
    warp[0, 1] += rng.normal(0, 0.12)
    centre = points.mean(axis=0)
    size = float(np.ptp(points, axis=0).max())
    moved = (points - centre) @ warp.T
    wave = np.sin(np.linspace(0, rng.uniform(2, 9), len(points))[:, None] + rng.uniform(0, 6, 3))
    moved += wave * size * rng.uniform(0, 0.025) + rng.normal(0, size * rng.uniform(0, 0.012), moved.shape)
    keep = rng.random(len(points)) < rng.uniform(0.6, 1.0)
    if keep.sum() >= 12:
        moved = moved[keep]
    cut = rng.integers(0, max(1, len(moved) // 12) + 1, 2)
    return np.asarray(moved[cut[0] : len(moved) - cut[1]], np.float32)


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
