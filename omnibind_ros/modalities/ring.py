"""The last N frames of a stream in one preallocated array, always readable as one contiguous view."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Ring:
    """A sliding window over frames of shape `frame_shape`.

    The buffer is twice as long as the window, so that `view` never has to stitch two ends together and the
    tail is moved to the front only once per window length.
    """

    def __init__(self, length: int, frame_shape: tuple[int, ...] = (), dtype: DTypeLike = np.float32) -> None:
        self.length = length
        self._buffer: NDArray[Any] = np.zeros((2 * length, *frame_shape), dtype)
        self._end = 0
        self.total = 0
        """frames pushed since the last clear"""

    def push(self, frames: NDArray[Any]) -> None:
        """Append frames [n, *frame_shape]; the oldest fall out."""
        self.total += len(frames)
        frames = frames[-self.length :]
        if self._end + len(frames) > len(self._buffer):
            keep = min(self._end, self.length - len(frames))
            self._buffer[:keep] = self._buffer[self._end - keep : self._end]
            self._end = keep
        self._buffer[self._end : self._end + len(frames)] = frames
        self._end += len(frames)

    @property
    def view(self) -> NDArray[Any]:
        """The newest up to `length` frames, oldest first, as a view that the next push may overwrite."""
        return self._buffer[max(0, self._end - self.length) : self._end]

    def clear(self) -> None:
        """Forget everything."""
        self._end = 0
        self.total = 0
