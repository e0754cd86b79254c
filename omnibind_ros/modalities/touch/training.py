"""How the student of tactile skins is trained, and how skins fail."""

from __future__ import annotations

import numpy as np

from omnibind_ros.types import Floats

STUDENT = {
    "widths": (48, 96), "stem_stride": 1, "dropout": 0.3, "variants": 6, "samples": 150_000,
    "augment": {
        "rotation": 14, "scale": 0.18, "stretch": 0.12, "shift_x": 0.14, "shift_y": 0.14, "shear": 0.2,
        "gain": 0.2,
    },
}  # fmt: skip


def augment_touch(frames: Floats, rng: np.random.Generator) -> Floats:
    """Some spikes missing, a few added, the start or end of the stroke too light to be felt."""
    kept = frames * (rng.random(frames.shape, np.float32) < rng.uniform(0.7, 1.0))
    active = np.flatnonzero(kept.reshape(len(kept), -1).any(axis=1))
    if len(active) > 20:
        trim = int(len(active) * 0.08)
        kept[: active[rng.integers(0, trim + 1)]] = 0
        kept[active[-1 - rng.integers(0, trim + 1)] + 1 :] = 0
        for _ in range(rng.integers(0, 4)):
            frame = rng.integers(active[0], active[-1])
            kept[frame, rng.integers(frames.shape[1]), rng.integers(frames.shape[2])] = 1.0
    return kept if kept.any() else frames


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
