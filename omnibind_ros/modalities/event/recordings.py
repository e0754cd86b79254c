"""Recordings of event cameras: files of N-MNIST; drawings filmed by the simulated camera."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from omnibind_ros.errors import BadRecording
from omnibind_ros.modalities.definition import Picture
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.simulation import film_picture
from omnibind_ros.modalities.files import FileFormats
from omnibind_ros.modalities.pictures import framed, ink_of, stretched


def read_bs2(file: Path, format: object) -> Events:
    """N-MNIST (Orchard et al. 2015): 5 bytes an event, x, y, polarity and 23-bit big-endian microseconds."""
    raw = np.fromfile(file, np.uint8)
    if len(raw) % 5:
        raise BadRecording(f"has {len(raw)} bytes, not a multiple of 5")
    raw = raw.reshape(-1, 5)
    micros = (raw[:, 2] & 0x7F).astype(np.int64) << 16 | raw[:, 3].astype(np.int64) << 8 | raw[:, 4]
    order = np.argsort(micros, kind="stable")
    x, y, p = raw[order, 0].astype(np.uint16), raw[order, 1].astype(np.uint16), raw[order, 2] >> 7 == 1
    return Events(x, y, micros[order] * 1000, p, 34, 34)


FILES = FileFormats(readers={".bs2": read_bs2})


def picture_as_events(picture: Picture, rng: np.random.Generator) -> Events:
    """Filmed by the simulated event camera."""
    return film_picture(ink_of(picture), rng)


def events_as_picture(events: Events) -> Picture:
    """Where there was movement, whatever its direction."""
    counts = np.zeros((events.height, events.width), np.float32)
    np.add.at(counts, (events.y, events.x), 1)
    moved = stretched(counts)
    return framed(np.where(moved < 0.25, 0, moved))
