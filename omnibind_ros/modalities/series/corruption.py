"""How sensors of a few numbers fail."""

from __future__ import annotations

import numpy as np

from omnibind_ros.simulation.hand import Floats


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
