"""How a message goes from a subscription's thread to the worker, without ever making the subscription wait.

Single-shot modalities (image, thermal, point cloud, text) hand over by a `NewestSlot`: the newest message
wins. Streams (audio, event, touch, time series) hand over by a `BoundedQueue`: nothing is lost until it is
full, then the oldest goes. Both count what they lose.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedQueue(Generic[T]):
    """Up to `depth` items, oldest first; the oldest is dropped for one too many.

    Any number of threads may `put`, one may `get`. The lock is held for a constant time only.
    """

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._items: deque[T] = deque()
        self._changed = threading.Condition(threading.Lock())
        self._closed = False
        self._dropped = 0

    def put(self, item: T) -> None:
        """Hand over an item; never blocks. After `close` it goes nowhere."""
        with self._changed:
            if self._closed:
                return
            if len(self._items) == self._depth:
                self._items.popleft()
                self._dropped += 1
            self._items.append(item)
            self._changed.notify()

    def get(self, timeout: float | None = None) -> list[T]:
        """Wait for items and take all of them at once, oldest first.

        Args:
            timeout: seconds, or None to wait for ever.

        Returns:
            The items; empty after the timeout or when closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout)
            taken, self._items = self._items, deque()
        return list(taken)

    def count_lost(self, lost: int) -> None:
        """So many items were lost before they came here."""
        with self._changed:
            self._dropped += lost

    def close(self) -> None:
        """Wake up whoever waits; what was not taken yet is forgotten."""
        with self._changed:
            self._closed = True
            self._items.clear()
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def dropped(self) -> int:
        """Items lost so far, mostly because they came faster than they were taken."""
        return self._dropped


class NewestSlot(BoundedQueue[T]):
    """Room for one item: the newest."""

    def __init__(self) -> None:
        super().__init__(depth=1)
