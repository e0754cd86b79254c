"""A burst of events of an event camera: what packets decode to and windows collect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Events:
    """N events in time order.

    Attributes:
        x, y: uint16 [N] pixel coordinates, origin top left.
        t: int64 [N] ns; since the epoch in a live stream, from 0 in a recording.
        p: bool [N], True = brighter.
        width, height: sensor size in pixels.
    """

    x: NDArray[np.uint16]
    y: NDArray[np.uint16]
    t: NDArray[np.int64]
    p: NDArray[np.bool_]
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, part: slice) -> Events:
        """A part of them, as views."""
        return Events(self.x[part], self.y[part], self.t[part], self.p[part], self.width, self.height)

    def between(self, start: int, end: int) -> Events:
        """The events with start <= t < end, as views."""
        a, b = np.searchsorted(self.t, (start, end))
        return self[a:b]

    def shifted(self, offset: int) -> Events:
        """The same events `offset` ns later."""
        return Events(self.x, self.y, self.t + offset, self.p, self.width, self.height)

    @staticmethod
    def concatenate(parts: list[Events]) -> Events:
        """Join bursts of one camera, in the order given."""
        if len(parts) == 1:
            return parts[0]
        return Events(
            np.concatenate([e.x for e in parts]),
            np.concatenate([e.y for e in parts]),
            np.concatenate([e.t for e in parts]),
            np.concatenate([e.p for e in parts]),
            parts[0].width,
            parts[0].height,
        )
