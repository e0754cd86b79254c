"""SIGTERM and Ctrl-C as an event to wait for, so that a process leaves the graph before it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType


@contextmanager
def stop_on_signals(patience_s: float = 0.0) -> Iterator[threading.Event]:
    """An event that SIGTERM or SIGINT sets; a second signal acts as if this were not here. Main thread only.

    with stop_on_signals() as stop, Node("fusion") as node:
        ...
        stop.wait()

    Args:
        patience_s: what comes so soon after the first signal is no second one but the same wish, told twice:
            by the terminal and by a launcher, say.
    """
    stop = threading.Event()
    previous = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    forceful_from: float | None = None

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal forceful_from
        if forceful_from is None:
            forceful_from = monotonic() + patience_s
            stop.set()
            if not patience_s:
                restore()
        elif monotonic() >= forceful_from:
            restore()
            signal.raise_signal(number)

    # The kernel may hand a signal to any thread, but a handler in Python runs once the main thread wakes,
    # which `stop.wait()` would not. The wake-up descriptor is written by whichever thread it was.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    wakeup_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    arguments = (reader, previous.keys(), stop)
    threading.Thread(target=_set_when_signalled, args=arguments, name="signals", daemon=True).start()
    for number in previous:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        restore()
        signal.set_wakeup_fd(wakeup_before)
        os.close(writer)


def _set_when_signalled(reader: int, numbers: Collection[int], stop: threading.Event) -> None:
    """Set `stop` at the first byte that is one of `numbers`; end when nobody can write any more."""
    while byte := os.read(reader, 1):
        if byte[0] in numbers:
            stop.set()
    os.close(reader)
