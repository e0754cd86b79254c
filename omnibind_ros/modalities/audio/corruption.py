"""How microphones fail."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.simulation.hand import Floats


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
