"""How messages go from a transport to the worker, without ever making the transport wait.

Single-shot modalities (image, thermal, point cloud, text) keep the newest message only. Streams (audio,
event, touch, time series) keep all, up to a number of seconds and bytes; then the oldest is dropped. What was
dropped is noted on the message after it, so that a window begins anew exactly at the gap.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class Received:
    """A message that waits to be decoded.

    Attributes:
        payload: CDR.
        type_name: e.g. `sensor_msgs/msg/Image`.
        stamp: when it was received, ns since the epoch.
        at: the same in seconds of the steady clock.
        lost: messages that are missing just before it.
    """

    payload: bytes
    type_name: str
    stamp: int
    at: float
    lost: int = 0


@dataclass(frozen=True)
class Limits:
    """The most that may wait: seconds between the oldest and the newest message, bytes, and messages."""

    seconds: float = math.inf
    size_bytes: float = math.inf
    messages: float = math.inf


NEWEST_ONLY = Limits(messages=1)


class Intake:
    """Messages that wait, oldest first. Any number of threads may `put`, one may `get`.

    The lock is held for a constant time only. The newest message is kept whatever the limits are.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._waiting: deque[Received] = deque()
        self._size_bytes = 0
        self._changed = threading.Condition(threading.Lock())
        self._closed = False
        self._dropped = 0

    def put(self, received: Received) -> None:
        """Hand over a message; never blocks. After `close` it is ignored."""
        with self._changed:
            if self._closed:
                return
            self._dropped += received.lost
            self._waiting.append(received)
            self._size_bytes += len(received.payload)
            while len(self._waiting) > 1 and self._is_too_much():
                oldest = self._waiting.popleft()
                self._size_bytes -= len(oldest.payload)
                self._dropped += 1
                self._waiting[0].lost += oldest.lost + 1
            self._changed.notify()

    def get(self, timeout_s: float | None = None) -> list[Received]:
        """Wait for messages and take all of them, oldest first; none after the time-out or when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed, timeout_s)
            taken, self._waiting = self._waiting, deque()
            self._size_bytes = 0
        return list(taken)

    def close(self) -> None:
        """Wake up the thread that waits; what was not taken yet is discarded."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def dropped(self) -> int:
        """Messages lost so far: before they came here, or because they came faster than they were taken."""
        return self._dropped

    def _is_too_much(self) -> bool:
        limits, waiting = self._limits, self._waiting
        return (
            len(waiting) > limits.messages
            or self._size_bytes > limits.size_bytes
            or waiting[-1].at - waiting[0].at > limits.seconds
        )
