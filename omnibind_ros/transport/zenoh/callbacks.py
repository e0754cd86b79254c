"""The callbacks of a node: one at a time, on threads that never belong to Zenoh.

Zenoh's own threads queue callbacks without bound and swallow exceptions. So every source is a bounded channel
with a worker thread, and all workers of a node take turns by one lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import zenoh

ErrorHook = Callable[[str, Exception], None]
"""Called with what went wrong and was survived: where (a topic name), and the exception."""


class Callbacks:
    """Lets one thread at a time call back, as a context manager, and knows all threads that do."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._owner: int | None = None
        self._depth = 0
        self._threads: set[threading.Thread] = set()

    def __enter__(self) -> None:
        self._lock.acquire()
        self._owner = threading.get_ident()
        self._depth += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None
        self._lock.release()

    def thread(self, run: Callable[[], None], name: str) -> threading.Thread:
        """Start a thread that will call back; it is forgotten when it ends."""

        def run_and_forget() -> None:
            try:
                run()
            finally:
                self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run_and_forget, name=name, daemon=True)
        self._threads.add(thread)
        thread.start()
        return thread

    def join(self, thread: threading.Thread, timeout_s: float = 2.0) -> None:
        """Wait for a thread that is to end; `join_all` does so later if that cannot be now.

        A thread that waits for its turn cannot end before the present callback does.
        """
        if self._owner != threading.get_ident() and thread is not threading.current_thread():
            thread.join(timeout_s)

    def join_all(self, timeout_s: float = 2.0) -> None:
        """Wait for all threads; their sources are undeclared."""
        deadline = time.monotonic() + timeout_s
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))


class ChannelWorker:
    """Calls `handle` with everything the channel delivers, until the channel's source is undeclared."""

    def __init__(
        self,
        callbacks: Callbacks,
        channel: zenoh.Handler[zenoh.Sample],
        handle: Callable[[zenoh.Sample], Any],
        name: str,
    ) -> None:
        # Block on the channel: a subscriber that is being received from cannot be undeclared.
        self._callbacks = callbacks
        self._channel = channel
        self._handle = handle
        self._thread = callbacks.thread(self._run, name)

    def join(self) -> None:
        """Wait for the worker after its source was undeclared; not from a callback."""
        self._callbacks.join(self._thread)

    def _run(self) -> None:
        while True:
            try:
                sample = self._channel.recv()
            except zenoh.ZError:
                return
            with self._callbacks:
                self._handle(sample)
