"""How raw samples become the messages of a driver: one after the other, each with the time it takes.

A `Frames` function yields what is to be published and how long it lasts; `omnibind_ros.play` keeps the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np


class Frame(NamedTuple):
    """One message to come.

    Attributes:
        duration_s: from the end of the frame before to the end of this one.
        message: makes the message, given when the frame begins and ends, ns since the epoch.
    """

    duration_s: float
    message: Callable[[int, int], Any]


Frames = Callable[[Iterable[Any], np.random.Generator], Iterator[Frame]]
"""Raw samples -> frames; the generator is for the sensor's noise."""


def stamped_at_end(encode: Callable[[Any, int], Any], sample: Any) -> Callable[[int, int], Any]:
    """The `message` of a frame: `encode(sample, stamp)` stamped at the frame's end."""
    return lambda begin, end: encode(sample, end)


def one_per_sample(period_s: float, encode: Callable[[Any, int], Any]) -> Frames:
    """Frames of a sensor that sends a message a sample, `period_s` apart; the first at once."""

    def frames(samples: Iterable[Any], rng: np.random.Generator) -> Iterator[Frame]:
        wait = 0.0
        for sample in samples:
            yield Frame(wait, stamped_at_end(encode, sample))
            wait = period_s

    return frames
