"""How the student of thermal cameras is trained, and how thermal cameras fail."""

from __future__ import annotations

import numpy as np

from omnibind_ros.types import Floats

STUDENT = {
    "widths": (32, 64, 96), "stem_stride": 2, "variants": 4, "samples": 90_000,
    "augment": {
        "rotation": 15, "scale": 0.18, "stretch": 0.1, "shift_x": 0.12, "shift_y": 0.12, "shear": 0.12,
        "gain": 0.2, "offset": 0.1, "noise": 0.15, "fill": None,
    },
}  # fmt: skip


def augment_thermal(picture: Floats, rng: np.random.Generator) -> Floats:
    """Sensor noise and a background that is warmer on one side."""
    spread = float(picture.std()) + 1e-6
    slope = np.linspace(-1, 1, picture.shape[1], dtype=np.float32) * rng.normal(0, 0.15) * spread
    return picture + slope + (rng.normal(0, rng.uniform(0, 0.12) * spread, picture.shape)).astype(np.float32)


def drift_thermal(picture: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """The housing warms up on one side."""
    slope = np.linspace(0, 1, picture.shape[0], dtype=np.float32)[:, None]
    drifted = picture + 6 * strength * float(np.ptp(picture)) * slope
    return np.asarray(drifted, np.float32)


def noisy_thermal(picture: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Noise up to one and a half times the picture's range."""
    noise = 1.5 * strength * float(np.ptp(picture)) * rng.standard_normal(picture.shape)
    return picture + noise.astype(np.float32)


def cover_thermal(picture: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Something as warm as the scene in front of the lens."""
    height, width = picture.shape
    h, w = max(1, round(height * strength)), max(1, round(width * strength))
    top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    covered = picture.copy()
    covered[top : top + h, left : left + w] = rng.uniform(picture.min(), picture.max())
    return np.asarray(covered)


def fade_thermal(picture: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Everything takes on one temperature until the sensor's noise is all that is left."""
    mean, spread = float(picture.mean()), float(np.ptp(picture))
    noise = 0.02 * spread * rng.standard_normal(picture.shape)
    return np.asarray(mean + (picture - mean) * (1 - 0.98 * strength) + noise, np.float32)


CORRUPTIONS = (drift_thermal, noisy_thermal, cover_thermal, fade_thermal)
