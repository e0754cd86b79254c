"""How tactile skins fail."""

from __future__ import annotations

import numpy as np

from omnibind_ros.simulation.hand import Floats


def dead_taxels(frames: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Taxels that no longer respond."""
    alive = rng.random(frames.shape[1:]) >= 0.9 * strength
    return np.asarray(frames * alive, np.float32)


def noisy_taxels(frames: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Crosstalk: spikes without contact."""
    noise = rng.random(frames.shape, np.float32) < 0.012 * strength
    return np.maximum(frames, noise.astype(np.float32))


def pressed_taxels(frames: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Taxels that report contact all the time."""
    pressed = rng.random(frames.shape[1:]) < 0.3 * strength
    return np.maximum(frames, pressed.astype(np.float32))


def late_touch(frames: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Shifted in time: the stroke has begun before the first frame."""
    lost = round(0.8 * strength * len(frames))
    return np.asarray(np.concatenate([frames[lost:], np.zeros_like(frames[:lost])]), np.float32)


CORRUPTIONS = (dead_taxels, noisy_taxels, pressed_taxels, late_touch)
