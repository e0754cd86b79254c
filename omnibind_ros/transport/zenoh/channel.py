"""A worker thread behind a Zenoh channel, so that no code of ours runs on Zenoh's own threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import zenoh

ErrorHook = Callable[[str, Exception], None]
"""Told of what went wrong and was survived: where (a topic name), and the exception."""


class ChannelWorker:
    """Calls `handle` with everything the channel delivers, until the channel's source is undeclared."""

    def __init__(
        self, channel: zenoh.Handler[zenoh.Sample], handle: Callable[[zenoh.Sample], Any], name: str
    ) -> None:
        # Block on the channel: a subscriber that is being received from cannot be undeclared.
        self._channel = channel
        self._handle = handle
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def join(self, timeout_s: float = 2.0) -> None:
        """Wait for the worker after its source was undeclared; not if called by the worker itself."""
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            try:
                sample = self._channel.recv()
            except zenoh.ZError:
                return
            self._handle(sample)
