"""What goes wrong with sensors, on the raw level: covered, noisy, clipped, flooded, half dead, late.

Fusion learns from these whom to believe. `strength` runs from 0 (untouched) to 1 (nothing usable left).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.event.events import Events

Corrupt = Callable[[Any, float, np.random.Generator], Any]


def dim_image(pixels: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Too dark, with the sensor's noise left."""
    return _to_uint8(pixels * (1 - strength) + rng.normal(0, 6, pixels.shape))


def blur_image(pixels: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Out of focus."""
    import cv2

    sigma = max(0.3, strength * 0.18 * min(pixels.shape[:2]))
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def expose_image(pixels: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Over-exposed."""
    return _to_uint8(pixels.astype(np.float32) * (1 + 4 * strength) + 255 * strength**2)


def occlude_image(pixels: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Something in front of the lens."""
    height, width = pixels.shape[:2]
    h, w = max(1, round(height * strength)), max(1, round(width * strength))
    top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    covered = pixels.copy()
    covered[top : top + h, left : left + w] = rng.integers(0, 256, 3)
    return np.asarray(covered)


def noise_image(pixels: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The noise of a sensor turned up in the dark."""
    return _to_uint8(pixels + 150 * strength * rng.standard_normal(pixels.shape, np.float32))


def babble_audio(
    sound: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Noise at 20 dB down to -12 dB signal-to-noise ratio, shaped like speech."""
    noise = np.convolve(rng.standard_normal(len(sound)), np.ones(6) / 6, mode="same")
    noise *= 0.5 + 0.5 * np.sin(np.arange(len(sound)) * rng.uniform(1e-3, 4e-3) + rng.uniform(0, 6))
    snr_db = 20 - 32 * strength
    level = np.sqrt(np.mean(sound**2) / max(float(np.mean(noise**2)), 1e-12)) * 10 ** (-snr_db / 20)
    return _to_sound(sound + level * noise)


def clip_audio(sound: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Overdriven up to a square wave."""
    peak = float(np.abs(sound).max()) + 1e-6
    return _to_sound(sound / peak * (1 + 60 * strength**2))


def gap_audio(sound: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A loose contact: parts are missing."""
    blocks = rng.random(len(sound) // 240 + 1) >= strength * 0.95
    return np.asarray(sound * np.repeat(blocks, 240)[: len(sound)], np.float32)


def mute_audio(sound: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Covered: up to 60 dB quieter, while the microphone's own noise stays 40 dB below full level."""
    level = float(np.sqrt(np.mean(sound**2)))
    noise = 0.01 * level * rng.standard_normal(len(sound), np.float32)
    return _to_sound(sound * 10 ** (-3 * strength) + noise)


def late_audio(sound: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Shifted in time: the beginning is over, the room goes on."""
    lost = round(0.8 * strength * len(sound))
    quiet = 1e-3 * rng.standard_normal(lost).astype(np.float32)
    return np.concatenate([sound[lost:], quiet])


def storm_events(events: Events, strength: float, rng: np.random.Generator) -> Events:
    """Flickering light: up to twelve times as many events, everywhere."""
    count = int(12 * strength * max(len(events), 500))
    return _with_events(
        events, rng.integers(0, events.width, count), rng.integers(0, events.height, count), rng
    )


def hot_pixels(events: Events, strength: float, rng: np.random.Generator) -> Events:
    """Some pixels fire all the time."""
    pixels = int(1 + 60 * strength)
    where = rng.integers(0, pixels, int(80 * pixels))
    x, y = rng.integers(0, events.width, pixels), rng.integers(0, events.height, pixels)
    return _with_events(events, x[where], y[where], rng)


def lose_events(events: Events, strength: float, rng: np.random.Generator) -> Events:
    """Thresholds too high: few events are left."""
    keep = rng.random(len(events)) >= 0.97 * strength
    return Events(events.x[keep], events.y[keep], events.t[keep], events.p[keep], events.width, events.height)


def late_events(events: Events, strength: float, rng: np.random.Generator) -> Events:
    """Shifted in time: what moved first is not in the window."""
    if not len(events):
        return events
    begin, end = int(events.t[0]), int(events.t[-1])
    keep = events.t >= begin + 0.8 * strength * (end - begin)
    return Events(events.x[keep], events.y[keep], events.t[keep], events.p[keep], events.width, events.height)


def dead_taxels(
    frames: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Rows and taxels that feel nothing any more."""
    alive = rng.random(frames.shape[1:]) >= 0.9 * strength
    return np.asarray(frames * alive, np.float32)


def noisy_taxels(
    frames: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Crosstalk: spikes out of nowhere."""
    noise = rng.random(frames.shape, np.float32) < 0.012 * strength
    return np.maximum(frames, noise.astype(np.float32))


def pressed_taxels(
    frames: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Taxels that feel a touch all the time."""
    pressed = rng.random(frames.shape[1:]) < 0.3 * strength
    return np.maximum(frames, pressed.astype(np.float32))


def late_touch(frames: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Shifted in time: the stroke has begun before the first frame."""
    lost = round(0.8 * strength * len(frames))
    return np.asarray(np.concatenate([frames[lost:], np.zeros_like(frames[:lost])]), np.float32)


def drift_thermal(
    picture: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The housing warms up on one side."""
    slope = np.linspace(0, 1, picture.shape[0], dtype=np.float32)[:, None]
    drifted = picture + 6 * strength * float(np.ptp(picture)) * slope
    return np.asarray(drifted, np.float32)


def noisy_thermal(
    picture: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Noise up to one and a half times the picture's range."""
    return picture + (1.5 * strength * float(np.ptp(picture)) * rng.standard_normal(picture.shape)).astype(
        np.float32
    )


def cover_thermal(
    picture: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Something as warm as the scene in front of the lens."""
    height, width = picture.shape
    h, w = max(1, round(height * strength)), max(1, round(width * strength))
    top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    covered = picture.copy()
    covered[top : top + h, left : left + w] = rng.uniform(picture.min(), picture.max())
    return np.asarray(covered)


def fade_thermal(
    picture: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Everything takes on one temperature until the sensor's noise is all that is left."""
    mean, spread = float(picture.mean()), float(np.ptp(picture))
    noise = 0.02 * spread * rng.standard_normal(picture.shape)
    return np.asarray(mean + (picture - mean) * (1 - 0.98 * strength) + noise, np.float32)


def noisy_points(
    points: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Positions off by up to a third of the cloud's size."""
    size = float(np.ptp(points, axis=0).max())
    return points + (0.33 * strength * size * rng.standard_normal(points.shape)).astype(np.float32)


def sparse_points(
    points: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """One part of the cloud is hidden."""
    keep = max(8, round(len(points) * (1 - 0.85 * strength)))
    side = points @ rng.standard_normal(3).astype(np.float32)
    return points[np.sort(np.argsort(side)[:keep])]


def noisy_series(
    values: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Noise up to three times as strong as the signal."""
    return _to_float(values + 3 * strength * values.std(axis=0) * rng.standard_normal(values.shape))


def dead_channels(
    values: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Broken wires: channels that stay where they were."""
    dead = rng.permutation(values.shape[1]) < np.ceil(0.9 * strength * values.shape[1])
    return np.where(dead, values[:1], values)


def held_series(
    values: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A bad link: nothing new arrives for a while, then the newest value again."""
    fresh = rng.random(len(values)) >= 0.98 * np.sqrt(strength)
    fresh[0] = True
    return values[np.maximum.accumulate(np.where(fresh, np.arange(len(values)), 0))]


def drifting_series(
    values: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Zero points that wander off by up to four times the signal's range."""
    slope = np.linspace(0, 1, len(values))[:, None] * rng.choice((-1.0, 1.0), values.shape[1])
    return _to_float(values + 4 * strength * np.ptp(values, axis=0) * slope)


def stray_points(
    points: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Dust and reflections: up to three stray points for each of the cloud, in a box half as large again."""
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.25 * float((high - low).max())
    stray = rng.uniform(low - margin, high + margin, (round(3 * strength * len(points)), 3))
    return np.concatenate([points, stray.astype(np.float32)])


def thin_points(
    points: NDArray[np.float32], strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A dark surface: few points come back, from anywhere."""
    keep = max(8, round(len(points) * (1 - 0.97 * strength)))
    return points[np.sort(rng.permutation(len(points))[:keep])]


CORRUPTIONS: dict[str, tuple[Corrupt, ...]] = {
    "image": (dim_image, blur_image, expose_image, occlude_image, noise_image),
    "audio": (babble_audio, clip_audio, gap_audio, mute_audio, late_audio),
    "event": (storm_events, hot_pixels, lose_events, late_events),
    "touch": (dead_taxels, noisy_taxels, pressed_taxels, late_touch),
    "thermal": (drift_thermal, noisy_thermal, cover_thermal, fade_thermal),
    "point_cloud": (noisy_points, sparse_points, stray_points, thin_points),
    "series": (noisy_series, dead_channels, held_series, drifting_series),
}
"""The corruptions by the modality of the adaptor; text has none."""


def _to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(pixels, 0, 255), np.uint8)


def _to_float(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _to_sound(sound: NDArray[Any]) -> NDArray[np.float32]:
    return np.asarray(np.clip(sound, -1, 1), np.float32)


def _with_events(events: Events, x: NDArray[Any], y: NDArray[Any], rng: np.random.Generator) -> Events:
    end = int(events.t[-1]) + 1 if len(events) else 300_000_000
    t = np.concatenate([events.t, rng.integers(0, end, len(x))])
    order = np.argsort(t, kind="stable")
    return Events(
        np.concatenate([events.x, x])[order].astype(np.uint16),
        np.concatenate([events.y, y])[order].astype(np.uint16),
        t[order],
        np.concatenate([events.p, rng.random(len(x)) < 0.5])[order],
        events.width,
        events.height,
    )
