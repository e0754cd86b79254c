"""How the student of a time series is trained, and how such sensors fail."""

from __future__ import annotations

import numpy as np

from omnibind_ros.types import Floats

STUDENT = {
    "widths": (32, 64, 128), "stem_stride": 2, "dropout": 0.3, "variants": 6, "samples": 60_000,
    "augment": {
        "scale": 0.15, "shift_x": 0.1, "gain": 0.15, "mask_x": 0.15, "noise": 0.1,
    },
}  # fmt: skip


def augment_series(values: Floats, rng: np.random.Generator) -> Floats:
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


def noisy_series(values: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Noise up to three times as strong as the signal."""
    noise = 3 * strength * values.std(axis=0) * rng.standard_normal(values.shape)
    return np.asarray(values + noise, np.float32)


def dead_channels(values: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Broken wires: channels that keep their first value."""
    dead = rng.permutation(values.shape[1]) < np.ceil(0.9 * strength * values.shape[1])
    return np.where(dead, values[:1], values)


def held_series(values: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """A bad link: nothing new arrives for a while, then the newest value again."""
    fresh = rng.random(len(values)) >= 0.98 * np.sqrt(strength)
    fresh[0] = True
    return values[np.maximum.accumulate(np.where(fresh, np.arange(len(values)), 0))]


def drifting_series(values: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Zero points that drift by up to four times the signal's range."""
    slope = np.linspace(0, 1, len(values))[:, None] * rng.choice((-1.0, 1.0), values.shape[1])
    return np.asarray(values + 4 * strength * np.ptp(values, axis=0) * slope, np.float32)


CORRUPTIONS = (noisy_series, dead_channels, held_series, drifting_series)
