"""SIGTERM and Ctrl-C as an event to wait for, so that a process leaves the graph before it ends."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

_STOP = (signal.SIGTERM, signal.SIGINT)
_PATIENCE_S = 1.0

_log = logging.getLogger(__name__)


def end_quietly() -> None:
    """Until `stop_on_signals`: SIGTERM and SIGINT end the process at once, with status 0 and no traceback.

    For a process that is starting: there is nothing to take from the graph yet. A launcher may block both
    until Python has started; a signal that was sent meanwhile arrives now.
    """
    for number in _STOP:
        signal.signal(number, lambda number, frame: os._exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP)


@contextmanager
def stop_on_signals(
    patience_s: float = _PATIENCE_S, on_hangup: Callable[[], None] | None = None
) -> Iterator[threading.Event]:
    """An event that SIGTERM or SIGINT sets; a later signal acts as if this were not here. Main thread only.

    with stop_on_signals() as stop, Node("fusion") as node:
        ...
        stop.wait()

    After it was stopped the process ignores both signals: a second one, sent by a launcher, must not end it
    on its last steps with another status.

    Args:
        patience_s: further signals so soon after the first are ignored: the terminal and a launcher may both
            send one.
        on_hangup: called on SIGHUP, on a thread of its own.
    """
    stop = threading.Event()
    hangup = signal.SIGHUP if on_hangup else None
    handled = (*_STOP, hangup) if hangup else _STOP
    previous = {number: signal.getsignal(number) for number in handled}
    forceful_from: float | None = None

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal forceful_from
        if number == hangup:
            return
        if forceful_from is None:
            forceful_from = monotonic() + patience_s
            stop.set()
        elif monotonic() >= forceful_from:
            for each, handler in previous.items():
                signal.signal(each, handler)
            signal.raise_signal(number)

    # The kernel may hand a signal to any thread, but a handler in Python runs once the main thread wakes,
    # which `stop.wait()` would not. The wake-up descriptor is written by whichever thread it was.
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    wakeup_before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    reactions = {int(number): stop.set for number in _STOP}
    if hangup and on_hangup:
        reactions[int(hangup)] = on_hangup
    threading.Thread(target=_react, args=(reader, reactions), name="signals", daemon=True).start()
    for number in handled:
        signal.signal(number, on_signal)
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_IGN if stop.is_set() and number in _STOP else handler)
        signal.set_wakeup_fd(wakeup_before)
        os.close(writer)


def _react(reader: int, reactions: dict[int, Callable[[], None]]) -> None:
    """Call the reaction to each signal number that arrives; end when nothing can arrive any more."""
    while byte := os.read(reader, 1):
        try:
            reactions.get(byte[0], lambda: None)()
        except Exception:  # the next signal must be noticed all the same
            _log.exception("signal %d", byte[0])
    os.close(reader)
