"""Waiting, ports and child processes for the transport tests."""

from __future__ import annotations

import json
import queue
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GENEROUS_S = 20.0
_HERE = Path(__file__).parent


def wait_until(condition: Callable[[], Any], what: str, timeout_s: float = GENEROUS_S) -> Any:
    """The first true result of `condition`; a failure that says what did not happen."""
    deadline = time.monotonic() + timeout_s
    while not (result := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s} s: {what}")
        time.sleep(0.005)
    return result


def free_port() -> int:
    """A port nobody has, outside the range from which the system hands out ports of its own."""
    while True:
        port = random.SystemRandom().randrange(15000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Process:
    """A process that prints one JSON value a line."""

    def __init__(self, script: str, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / f"{script}.py"), *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self, timeout_s: float = GENEROUS_S) -> Any:
        """The next value it prints; a failure if it ends or stays silent."""
        try:
            line = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            pytest.fail(f"{self._process.args!r} printed nothing for {timeout_s} s")
        if line is None:
            pytest.fail(f"{self._process.args!r} ended with {self._process.wait()}")
        return json.loads(line)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def terminate(self) -> int:
        self._process.terminate()
        return self._process.wait(GENEROUS_S)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)
