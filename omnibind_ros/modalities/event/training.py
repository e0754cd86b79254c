"""How the student of event cameras is trained, and how event cameras fail."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.event.events import Events

STUDENT = {
    "widths": (32, 64, 128), "stem_stride": 2, "dropout": 0.3, "variants": 6, "samples": 150_000,
    "augment": {
        "rotation": 12, "scale": 0.15, "stretch": 0.1, "shift_x": 0.1, "shift_y": 0.1, "shear": 0.15,
        "gain": 0.3, "noise": 0.1,
    },
}  # fmt: skip


def augment_events(events: Events, rng: np.random.Generator) -> Events:
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
    return _kept(events, rng.random(len(events)) >= 0.97 * strength)


def late_events(events: Events, strength: float, rng: np.random.Generator) -> Events:
    """Shifted in time: what moved first is not in the window."""
    if not len(events):
        return events
    begin, end = int(events.t[0]), int(events.t[-1])
    return _kept(events, events.t >= begin + 0.8 * strength * (end - begin))


CORRUPTIONS = (storm_events, hot_pixels, lose_events, late_events)


def _kept(events: Events, keep: NDArray[np.bool_]) -> Events:
    return Events(events.x[keep], events.y[keep], events.t[keep], events.p[keep], events.width, events.height)


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
