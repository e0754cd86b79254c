"""Alarms of a node, all on one thread, which sleeps until the next is due."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from omnibind_ros.transport.zenoh.callbacks import Callbacks, ErrorHook


class Alarms:
    """Makes alarms. Its thread starts with the first one.

    Args:
        on_error: called with exceptions of callbacks; the alarm can be set again all the same.
    """

    def __init__(self, callbacks: Callbacks, on_error: ErrorHook) -> None:
        self._callbacks = callbacks
        self._on_error = on_error
        self._changed = threading.Condition()
        self._due: dict[NodeAlarm, float] = {}
        self._closed = False
        self._thread: threading.Thread | None = None

    def alarm(self, callback: Callable[[], None]) -> NodeAlarm:
        """A new alarm, not set yet."""
        return NodeAlarm(self, callback)

    def close(self) -> None:
        """Call back no more. Idempotent."""
        with self._changed:
            self._closed = True
            self._due.clear()
            self._changed.notify()
        if self._thread:
            self._callbacks.join(self._thread)

    def set(self, alarm: NodeAlarm, delay_s: float | None) -> None:
        """When to ring next; None = not at all."""
        with self._changed:
            if self._closed:
                return
            if delay_s is None:
                self._due.pop(alarm, None)
                return
            self._due[alarm] = time.monotonic() + delay_s
            self._changed.notify()
            if self._thread is None:
                self._thread = self._callbacks.thread(self._run, "alarms")

    def _run(self) -> None:
        while not self._closed:
            with self._callbacks:
                alarm = self._take_due()
                if alarm is not None:
                    try:
                        alarm.callback()
                    except Exception as error:
                        self._on_error("alarm", error)
            with self._changed:
                if not self._closed:
                    self._changed.wait(self._patience_s())

    def _take_due(self) -> NodeAlarm | None:
        """The alarm that is due longest. One at a time, since its callback may close or set the others."""
        with self._changed:
            alarm = min(self._due, key=self._due.__getitem__, default=None)
            if alarm is None or self._due[alarm] > time.monotonic():
                return None
            del self._due[alarm]
            return alarm

    def _patience_s(self) -> float | None:
        if not self._due:
            return None
        return min(max(0.0, min(self._due.values()) - time.monotonic()), threading.TIMEOUT_MAX)


class NodeAlarm:
    """An alarm of a node; see `transport.protocol.Alarm`."""

    def __init__(self, alarms: Alarms, callback: Callable[[], None]) -> None:
        self.callback = callback
        self._alarms = alarms
        self._closed = False

    def set(self, delay_s: float) -> None:
        if not self._closed:
            self._alarms.set(self, delay_s)

    def close(self) -> None:
        self._closed = True
        self._alarms.set(self, None)
