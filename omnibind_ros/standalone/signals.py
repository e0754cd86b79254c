"""SIGTERM and Ctrl-C as an event to wait for, so that a process leaves the graph before it ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM or SIGINT sets; a second signal acts as if this were not here. Main thread only.

    with stop_on_signals() as stop, Node("fusion") as node:
        ...
        stop.wait()
    """
    stop = threading.Event()
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def on_signal(number: int, frame: FrameType | None) -> None:
        restore()
        stop.set()

    for number in previous:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        restore()
