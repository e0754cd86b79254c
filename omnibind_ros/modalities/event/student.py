"""How the student of event cameras is trained."""

from __future__ import annotations

import numpy as np

from omnibind_ros.modalities.event.events import Events

STUDENT = {
    "widths": (32, 64, 128),
    "stem_stride": 2,
    "dropout": 0.3,
    "variants": 6,
    "samples": 150_000,
    "augment": {
        "rotation": 12,
        "scale": 0.15,
        "stretch": 0.1,
        "shift_x": 0.1,
        "shift_y": 0.1,
        "shear": 0.15,
        "gain": 0.3,
        "noise": 0.1,
    },
}


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
