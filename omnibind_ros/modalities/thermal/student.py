"""How the student of thermal cameras is trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STUDENT = {
    "widths": (32, 64, 96),
    "stem_stride": 2,
    "variants": 4,
    "samples": 90_000,
    "augment": {
        "rotation": 15,
        "scale": 0.18,
        "stretch": 0.1,
        "shift_x": 0.12,
        "shift_y": 0.12,
        "shear": 0.12,
        "gain": 0.2,
        "offset": 0.1,
        "noise": 0.15,
        "fill": None,
    },
}


def augment_thermal(picture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Sensor noise and a background that is warmer on one side."""
    spread = float(picture.std()) + 1e-6
    slope = np.linspace(-1, 1, picture.shape[1], dtype=np.float32) * rng.normal(0, 0.15) * spread
    return picture + slope + (rng.normal(0, rng.uniform(0, 0.12) * spread, picture.shape)).astype(np.float32)
