"""Starts `omnibind` commands by forking a process that has imported what they need already (Linux).

A forked command shares the memory of what was imported, and need not import it again. The fork server is a
process of its own, with one thread and no network session, since neither survives a fork. It dies with the
process that started it, and its children with it.

    this process                        fork server                      child
    spawn(arguments, output)  -- socket: arguments, descriptor -->  fork -->  omnibind_ros.cli.main
    ForkedProcess             <-- started: pid; later ended: pid, status --
"""

from __future__ import annotations

import ctypes
import json
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any

from omnibind_ros.process.child import GRACE_S, bound_to_us, run_main
from omnibind_ros.process.die_with_parent import PR_SET_PDEATHSIG
from omnibind_ros.process.memory import freeze

_LONGEST_REQUEST = 1 << 16
_PATIENCE_S = 30.0
"""Time that the fork server has to import everything and start the first command, and each later one."""


class ForkServer:
    """Forks `omnibind` commands; the process behind it starts with the first of them.

    Args:
        preload: modules to import once for all of them.
        patience_s: a fork server that has not started a command by then is killed, and its children with it.
    """

    def __init__(self, preload: Sequence[str], patience_s: float = _PATIENCE_S) -> None:
        self._preload = preload
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._connection: _Connection | None = None

    def spawn(self, arguments: Sequence[str], environment: Mapping[str, str], output: int) -> ForkedProcess:
        """Start `omnibind` with these arguments; see `process.child.Spawn`.

        Raises:
            OSError: no process can be started.
        """
        with self._lock:
            if self._connection is not None and self._connection.lost:
                self._connection.close()
                self._connection = None
            if self._connection is None:
                self._connection = _Connection(self._preload, self._patience_s)
            return self._connection.spawn(arguments, environment, output)

    def close(self) -> None:
        """End the fork server, and what still runs of its children. Idempotent."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


class ForkedProcess:
    """A child of the fork server; the part of `subprocess.Popen` that `Child` needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def poll(self) -> int | None:
        """Its exit status, negative = the signal that ended it; None while it runs."""
        return self.returncode

    def wait(self, timeout: float | None = None) -> int | None:
        """Its exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        # It may have ended although the fork server has not reported that yet.
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def end(self, returncode: int) -> None:
        """It has ended."""
        self.returncode = returncode
        self._ended.set()


class _Connection:
    """A running fork server."""

    def __init__(self, preload: Sequence[str], patience_s: float) -> None:
        self.lost = False
        self._patience_s = patience_s
        self._children: dict[int, ForkedProcess] = {}
        self._started: queue.Queue[ForkedProcess | None] = queue.Queue()
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                bound_to_us(run_main("omnibind_ros.process.fork_server", theirs.fileno(), *preload)),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={"OMP_NUM_THREADS": "1", **os.environ},  # a pool of NumPy's threads would not survive
                start_new_session=True,  # Ctrl-C in our terminal is for us to pass on
            )
        self._thread = threading.Thread(target=self._read, name="fork server", daemon=True)
        self._thread.start()

    def close(self) -> None:
        with suppress(OSError):  # it may have ended by itself
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:  # e.g. it is stopped
            self._process.kill()
        self._thread.join()
        self._socket.close()

    def spawn(self, arguments: Sequence[str], environment: Mapping[str, str], output: int) -> ForkedProcess:
        request = json.dumps({"arguments": [*arguments], "environment": {**environment}}).encode()
        try:
            socket.send_fds(self._socket, [request], [output])
        except OSError:
            self.lost = True
        try:
            child = None if self.lost else self._started.get(timeout=self._patience_s)
        except queue.Empty:
            self._process.kill()  # else a late answer would be taken for that to the next request
            self.lost = True
            raise OSError(f"the fork server does not answer within {self._patience_s:g} s") from None
        if child is None:
            raise OSError("the fork server has ended")
        return child

    def _read(self) -> None:
        # The connection is reset if the fork server was killed before it read a request.
        with suppress(ConnectionResetError), self._socket.makefile() as replies:
            for line in replies:
                self._take(json.loads(line))
        self.lost = True
        self._process.wait()
        for child in self._children.values():  # they die with it
            child.end(-signal.SIGKILL)
        self._started.put(None)

    def _take(self, reply: dict[str, int]) -> None:
        if "started" in reply:
            child = self._children[reply["started"]] = ForkedProcess(reply["started"])
            self._started.put(child)
        else:
            self._children.pop(reply["ended"]).end(reply["status"])


# -------- in the fork server


def main() -> None:
    """`main()` of the fork server: its socket, and what to import."""
    descriptor, *preload = sys.argv[1:]
    for module in preload:
        import_module(module)
    freeze()
    with socket.socket(fileno=int(descriptor)) as connection:
        _serve(connection)


def _serve(connection: socket.socket) -> None:
    """Fork on request and report children that end, until the other side is gone."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    while True:
        ready, _, _ = select.select([connection.fileno(), reader], [], [])
        if reader in ready:
            os.read(reader, 4096)
            _report_ended(connection)
        if connection.fileno() in ready:
            request, descriptors, _, _ = socket.recv_fds(connection, _LONGEST_REQUEST, 1)
            if not request:
                return
            server, pid = os.getpid(), os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for unneeded in (reader, writer):
                    os.close(unneeded)
                connection.close()
                _become(server, json.loads(request), descriptors[0])
            os.close(descriptors[0])
            _reply(connection, started=pid)


def _report_ended(connection: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _reply(connection, ended=pid, status=os.waitstatus_to_exitcode(status))


def _reply(connection: socket.socket, **values: int) -> None:
    connection.sendall(json.dumps(values).encode() + b"\n")


def _become(server: int, request: dict[str, Any], output: int) -> None:
    """Be the command, in the child, to its end."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:  # it has ended, and no signal will come
        os._exit(1)
    os.setsid()
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    os.environ.update(request["environment"])
    sys.argv = ["omnibind", *request["arguments"]]
    try:
        import_module("omnibind_ros.cli.main").main()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    # Libraries would wait at exit for threads that did not survive the fork.
    os._exit(status)


if __name__ == "__main__":
    main()
