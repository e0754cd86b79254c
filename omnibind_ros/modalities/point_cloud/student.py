"""How the student of point clouds is trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STUDENT = {
    "widths": (32, 64, 128),
    "stem_stride": 2,
    "variants": 12,
    "samples": 100_000,
    "augment": {"rotation": 6, "scale": 0.08, "stretch": 0.08, "shift_x": 0.05, "shift_y": 0.05, "gain": 0.1},
}


def augment_points(points: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
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
