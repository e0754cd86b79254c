"""How the student of microphones is trained."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STUDENT = {
    "widths": (32, 64, 128),
    "stem_stride": 2,
    "dropout": 0.3,
    "variants": 8,
    "samples": 150_000,
    "augment": {
        "scale": 0.06,
        "stretch": 0.12,
        "shift_x": 0.08,
        "shift_y": 0.07,
        "tilt": 0.25,
        "mask_x": 0.12,
        "mask_y": 0.25,
        "noise": 0.1,
        "offset": 0.1,
        "fill": -1.0,
    },
}


def augment_audio(sound: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Another speaker's size and speed (resampling moves pitch and formants), room noise, microphone gain."""
    speed = np.exp(rng.uniform(-0.22, 0.22))
    positions = np.arange(0, len(sound) - 1, speed)
    sound = np.interp(positions, np.arange(len(sound)), sound).astype(np.float32)
    noise = rng.standard_normal(len(sound)).astype(np.float32)
    if rng.random() < 0.5:
        noise = np.convolve(noise, np.full(8, 0.35, np.float32), mode="same")
    snr_db = rng.uniform(8, 45)
    level = np.sqrt(np.mean(sound**2) + 1e-12) * 10 ** (-snr_db / 20)
    sound = sound + level * noise
    return np.asarray(sound * rng.uniform(0.3, 1.0) / max(1.0, float(np.abs(sound).max())), np.float32)
