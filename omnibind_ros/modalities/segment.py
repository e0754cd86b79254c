"""Finds the newest segment of a stream: activity with a pause before and after it (endpoint detection).

A window cut out at fixed times splits words and strokes. Streams of single words or strokes are therefore cut
at their pauses.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Segment:
    """Activity from frame `start` up to, not including, `end`.

    `begun` and `ended`: whether the pause before and after it is in the window; without it the segment may
    have been cut by the window.
    """

    start: int
    end: int
    begun: bool
    ended: bool


def newest_segment(active: NDArray[np.bool_], pause: int) -> Segment | None:
    """The newest complete segment in a window, else the newest incomplete one, else None.

    Args:
        active: bool [T], whether a frame has activity.
        pause: frames of inactivity that separate two segments.
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
    complete = [segment for segment in found if segment.begun and segment.ended]
    return complete[-1] if complete else found[-1]
