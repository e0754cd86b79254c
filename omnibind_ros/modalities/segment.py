"""Where in a stream is the newest thing that was said or drawn? (Endpoint detection.)

A window cut out blindly tears words and strokes apart. Streams of gestures (a spoken word, a traced digit)
are therefore cut where nothing happens: a gesture is activity with a pause before and after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Segment:
    """Activity from frame `start` up to, not including, `end`.

    `begun` and `ended` tell whether the pause before and after it was seen; without it the gesture may
    have been cut by the window.
    """

    start: int
    end: int
    begun: bool
    ended: bool


def newest_segment(active: NDArray[np.bool_], pause: int) -> Segment | None:
    """The newest complete gesture in a window, else the newest incomplete one, else None.

    Args:
        active: bool [T], whether something happens in a frame.
        pause: frames of inactivity that part two gestures.
    """
    frames = np.flatnonzero(active)
    if not len(frames):
        return None
    breaks = np.flatnonzero(frames[1:] - frames[:-1] > pause)
    starts = frames[[0, *(breaks + 1)]].tolist()
    ends = (frames[[*breaks, -1]] + 1).tolist()
    newest = len(breaks)
    found = [
        Segment(start, end, number > 0 or start >= pause, number < newest or len(active) - end >= pause)
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]
    complete = [gesture for gesture in found if gesture.begun and gesture.ended]
    return complete[-1] if complete else found[-1]
