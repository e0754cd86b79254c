"""How the student of a time series is trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STUDENT = {
    "widths": (32, 64, 128),
    "stem_stride": 2,
    "dropout": 0.3,
    "variants": 6,
    "samples": 60_000,
    "augment": {"scale": 0.15, "shift_x": 0.1, "gain": 0.15, "mask_x": 0.15, "noise": 0.1},
}


def augment_series(values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Moved faster or slower and further, begun earlier or later, with the sensor's noise."""
    begin, end = rng.uniform(0, 0.12, 2) * len(values)
    count = max(2, round((len(values) - begin - end) * np.exp(rng.uniform(-0.2, 0.2))))
    positions = np.linspace(begin, len(values) - 1 - end, count)
    before = np.minimum(positions.astype(np.intp), len(values) - 2)
    share = (positions - before)[:, None]
    moved = values[before] * (1 - share) + values[before + 1] * share
    middle, spread = moved.mean(axis=0), moved.std(axis=0)
    moved = middle + (moved - middle) * np.exp(rng.normal(0, 0.12, values.shape[1]))
    return np.asarray(moved + rng.normal(0, 1, moved.shape) * spread * rng.uniform(0, 0.08), np.float32)
