"""Drawings filmed by an event camera, and events as pictures."""

from __future__ import annotations

import numpy as np

from omnibind_ros.modalities.definition import Picture
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.simulation import film_picture
from omnibind_ros.modalities.pictures import framed, ink_of, stretched


def picture_as_events(picture: Picture, rng: np.random.Generator) -> Events:
    """Filmed by the simulated event camera."""
    return film_picture(ink_of(picture), rng)


def events_as_picture(events: Events) -> Picture:
    """Where there was movement, whatever its direction."""
    counts = np.zeros((events.height, events.width), np.float32)
    np.add.at(counts, (events.y, events.x), 1)
    moved = stretched(counts)
    return framed(np.where(moved < 0.25, 0, moved))
