"""How the student of tactile skins is trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STUDENT = {
    "widths": (48, 96),
    "stem_stride": 1,
    "dropout": 0.3,
    "variants": 6,
    "samples": 150_000,
    "augment": {
        "rotation": 14,
        "scale": 0.18,
        "stretch": 0.12,
        "shift_x": 0.14,
        "shift_y": 0.14,
        "shear": 0.2,
        "gain": 0.2,
    },
}


def augment_touch(frames: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
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
