"""How a recording could also have come out: augmentation of raw samples that mimics the sensor.

What is cheaper on a whole batch of model inputs (turning, shifting, masking) is done there: see
`omnibind_ros.host.training.input_augment`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.event.events import Events

Augment = Callable[[Any, np.random.Generator], Any]


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


def augment_event(events: Events, rng: np.random.Generator) -> Events:
    """The window opened at another moment of the saccades; another speed; other thresholds; noise events."""
    duration = int(events.t[-1] - events.t[0]) + 1 if len(events) else 1
    keep = rng.random(len(events)) < rng.uniform(0.6, 1.0)
    t = events.t[keep] - events.t[0]
    x, y, p = events.x[keep], events.y[keep], events.p[keep]
    if rng.random() < 0.7:
        t = (t + rng.integers(duration)) % duration
    t = (t * rng.uniform(0.8, 1.2)).astype(np.int64)
    noise = rng.integers(0, 250)
    t = np.concatenate([t, rng.integers(0, duration, noise)])
    x = np.concatenate([x, rng.integers(0, events.width, noise)]).astype(np.uint16)
    y = np.concatenate([y, rng.integers(0, events.height, noise)]).astype(np.uint16)
    p = np.concatenate([p, rng.random(noise) < 0.5])
    order = np.argsort(t, kind="stable")
    return Events(x[order], y[order], t[order], p[order], events.width, events.height)


def augment_touch(frames: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Some spikes missed, a few out of nowhere, the start or end of the stroke too light to be felt."""
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


def augment_point_cloud(points: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Seen a little from the side, drawn larger or slanted, unsteady, with points missing."""
    angles = rng.normal(0, (0.25, 0.3, 0.12))
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    around_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    around_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    around_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    warp = around_z @ around_y @ around_x @ np.diag(np.exp(rng.normal(0, 0.15, 3)))
    warp[0, 1] += rng.normal(0, 0.12)
    centre = points.mean(axis=0)
    size = float(np.ptp(points, axis=0).max())
    moved = (points - centre) @ warp.T
    wave = np.sin(np.linspace(0, rng.uniform(2, 9), len(points))[:, None] + rng.uniform(0, 6, 3))
    moved += wave * size * rng.uniform(0, 0.025) + rng.normal(0, size * rng.uniform(0, 0.012), moved.shape)
    keep = rng.random(len(points)) < rng.uniform(0.6, 1.0)
    if keep.sum() >= 12:
        moved = moved[keep]
    cut = rng.integers(0, max(1, len(moved) // 12) + 1, 2)
    return np.asarray(moved[cut[0] : len(moved) - cut[1]], np.float32)


def augment_thermal(picture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Sensor noise and a background that is warmer on one side."""
    spread = float(picture.std()) + 1e-6
    slope = np.linspace(-1, 1, picture.shape[1], dtype=np.float32) * rng.normal(0, 0.15) * spread
    return picture + slope + (rng.normal(0, rng.uniform(0, 0.12) * spread, picture.shape)).astype(np.float32)


def augment_series(values: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Moved faster or slower and further, begun earlier or later, with the sensor's noise."""
    begin, end = rng.uniform(0, 0.12, 2) * len(values)
    count = max(2, round((len(values) - begin - end) * np.exp(rng.uniform(-0.2, 0.2))))
    positions = np.linspace(begin, len(values) - 1 - end, count)
    before = np.minimum(positions.astype(np.intp), len(values) - 2)
    share = (positions - before)[:, None]
    moved = values[before] * (1 - share) + values[before + 1] * share
    middle, spread = moved.mean(axis=0), moved.std(axis=0)
    moved = middle + (moved - middle) * np.exp(rng.normal(0, 0.12, values.shape[1]))
    return np.asarray(moved + rng.normal(0, 1, moved.shape) * spread * rng.uniform(0, 0.08), np.float32)


AUGMENTATIONS: dict[str, Augment] = {
    "audio": augment_audio,
    "event": augment_event,
    "touch": augment_touch,
    "point_cloud": augment_point_cloud,
    "thermal": augment_thermal,
    "series": augment_series,
}
"""Raw-level augmentation by the modality of the adaptor; the others (image, text) need none on this level."""
