"""How the student of microphones is trained, and how microphones fail."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.types import Floats

STUDENT = {
    "widths": (32, 64, 128), "stem_stride": 2, "dropout": 0.3, "variants": 8, "samples": 150_000,
    "augment": {
        "scale": 0.06, "stretch": 0.12, "shift_x": 0.08, "shift_y": 0.07, "tilt": 0.25, "mask_x": 0.12,
        "mask_y": 0.25, "noise": 0.1, "offset": 0.1, "fill": -1.0,
    },
}  # fmt: skip


def augment_audio(sound: Floats, rng: np.random.Generator) -> Floats:
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


def babble_audio(sound: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Noise at 20 dB down to -12 dB signal-to-noise ratio, shaped like speech."""
    noise = np.convolve(rng.standard_normal(len(sound)), np.ones(6) / 6, mode="same")
    noise *= 0.5 + 0.5 * np.sin(np.arange(len(sound)) * rng.uniform(1e-3, 4e-3) + rng.uniform(0, 6))
    snr_db = 20 - 32 * strength
    level = np.sqrt(np.mean(sound**2) / max(float(np.mean(noise**2)), 1e-12)) * 10 ** (-snr_db / 20)
    return _clipped(sound + level * noise)


def clip_audio(sound: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Overdriven up to a square wave."""
    peak = float(np.abs(sound).max()) + 1e-6
    return _clipped(sound / peak * (1 + 60 * strength**2))


def gap_audio(sound: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """A loose contact: parts are missing."""
    blocks = rng.random(len(sound) // 240 + 1) >= strength * 0.95
    return np.asarray(sound * np.repeat(blocks, 240)[: len(sound)], np.float32)


def mute_audio(sound: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Covered: up to 60 dB quieter, while the microphone's own noise stays 40 dB below full level."""
    level = float(np.sqrt(np.mean(sound**2)))
    noise = 0.01 * level * rng.standard_normal(len(sound), np.float32)
    return _clipped(sound * 10 ** (-3 * strength) + noise)


def late_audio(sound: Floats, strength: float, rng: np.random.Generator) -> Floats:
    """Shifted in time: the beginning is missing, faint noise follows the end."""
    lost = round(0.8 * strength * len(sound))
    quiet = 1e-3 * rng.standard_normal(lost).astype(np.float32)
    return np.concatenate([sound[lost:], quiet])


CORRUPTIONS = (babble_audio, clip_audio, gap_audio, mute_audio, late_audio)


def _clipped(sound: NDArray[Any]) -> Floats:
    return np.asarray(np.clip(sound, -1, 1), np.float32)
