"""The supervisor keeps a robot's processes running.

    supervisor = Supervisor([Program("fusion", command), ...], on_line=print)
    supervisor.start()
    ...
    supervisor.stop()

A program that ends is restarted, with exponential back-off. A program that ends with status 2 refused its
configuration: it is restarted when a file changes that it depends on.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from omnibind_ros.errors import REFUSED
from omnibind_ros.process.child import GRACE_S, Child, OnLine, Spawn, ending, execute, stop_all


@dataclass(frozen=True)
class Program:
    """A process to keep running.

    Attributes:
        name: its name in log lines.
        respawn: restart it when it ends.
        respawn_delay_s: delay before a restart; doubled each time it ends before it ran for long enough.
        depends_on: its configuration: files, and folders with all files below them.
    """

    name: str
    command: Sequence[str]
    respawn: bool = True
    respawn_delay_s: float = 1.0
    depends_on: Sequence[Path] = ()


@dataclass
class Backoff:
    """Exponential back-off: `first_s`, doubled up to `longest_s`, reset after a run of `healthy_s`."""

    first_s: float
    longest_s: float = 30.0
    healthy_s: float = 10.0
    _next_s: float = 0.0

    def delay_s(self, ran_s: float) -> float:
        """Delay before the restart of a process that ran for `ran_s`."""
        if ran_s >= self.healthy_s or not self._next_s:
            self._next_s = self.first_s
        delay_s = min(self._next_s, max(self.first_s, self.longest_s))
        self._next_s = 2 * delay_s
        return delay_s


class Supervisor:
    """Runs programs as child processes from `start` to `stop`, on a thread of its own.

    Args:
        on_line: called with each line of the programs' output, and with each end and restart. It is called on
            several threads and should return at once.
        environment: variables to set for all programs.
        healthy_s: the back-off of a program is reset after it ran for this long.
        longest_s: the longest back-off.
        poll_s: period of the checks whether the configuration of a refused program has changed.
        spawn: starts the programs' commands.
    """

    def __init__(
        self,
        programs: Iterable[Program],
        on_line: OnLine,
        environment: Mapping[str, str] | None = None,
        *,
        healthy_s: float = 10.0,
        longest_s: float = 30.0,
        poll_s: float = 1.0,
        spawn: Spawn = execute,
    ) -> None:
        self._wake = threading.Event()
        self._stopping = False
        self._grace_s = GRACE_S
        self._kept = [
            _Kept(
                program,
                Backoff(program.respawn_delay_s, longest_s, healthy_s),
                partial(Child, program.name, program.command, on_line, self._wake.set, environment, spawn),
                on_line,
                poll_s,
            )
            for program in programs
        ]
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start all programs and keep them running."""
        self._thread.start()

    def stop(self, grace_s: float = GRACE_S) -> None:
        """End all programs: SIGTERM, then SIGKILL to what still runs after `grace_s`."""
        self._grace_s = grace_s
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def send(self, number: int) -> None:
        """Send a signal to all programs that run."""
        for child in [kept.child for kept in self._kept]:
            if child is not None:
                child.send(number)

    @property
    def idle(self) -> bool:
        """No program runs, and none will be restarted."""
        return all(kept.given_up for kept in self._kept)

    @property
    def refused(self) -> tuple[str, ...]:
        """Names of the programs that refused their configuration and do not run."""
        return tuple(kept.program.name for kept in self._kept if kept.refused)

    def _run(self) -> None:
        # A child ends with the thread that started it: all of them are started here.
        while not self._stopping:
            self._wake.clear()
            now = time.monotonic()
            for kept in self._kept:
                kept.look(now)
            due = [kept.due_at for kept in self._kept if kept.due_at is not None]
            self._wake.wait(max(0.0, min(due) - now) if due else None)
        stop_all([kept.child for kept in self._kept if kept.child is not None], self._grace_s)


class _Kept:
    """One program and its present process, if any."""

    def __init__(
        self,
        program: Program,
        backoff: Backoff,
        spawn: Callable[[], Child],
        on_line: OnLine,
        poll_s: float,
    ) -> None:
        self.program = program
        self.child: Child | None = None
        self.due_at: float | None = 0.0
        """time of the next start or check, s of the steady clock; None while it runs or for ever"""
        self.refused = False
        self._backoff = backoff
        self._on_line = on_line
        self._spawn = spawn
        self._poll_s = poll_s
        self._started_at = 0.0
        self._started_with = self._latest = frozenset[_FileState]()

    @property
    def given_up(self) -> bool:
        return self.child is None and self.due_at is None

    def look(self, now: float) -> None:
        if self.child is not None and not self.child.runs:
            self._note_end(self.child.returncode or 0, now)
        if self.due_at is not None and now >= self.due_at:
            if self.refused and not self._configuration_has_changed():
                self.due_at = now + self._poll_s
            else:
                self._start(now)

    def _configuration_has_changed(self) -> bool:
        """It differs from that of the last start, and from nothing since the last check: it is complete."""
        before, self._latest = self._latest, _state_of(self.program.depends_on)
        return self._latest == before != self._started_with

    def _start(self, now: float) -> None:
        self._started_at, self.refused = now, False
        self._started_with = self._latest = _state_of(self.program.depends_on)
        try:
            self.child = self._spawn()
        except OSError as error:
            self._plan_restart(f"cannot be started ({error.strerror or error})", now)
        else:
            self.due_at = None

    def _note_end(self, returncode: int, now: float) -> None:
        self.refused = returncode == REFUSED
        if self.refused and self.program.respawn and self.program.depends_on:
            self.due_at = now + self._poll_s
            files = " or ".join(map(str, self.program.depends_on))
            self._log(f"refused its configuration (see above); it is restarted when {files} changes")
        elif self.refused:
            self._log("refused its configuration (see above); it is not restarted")
        elif self.program.respawn:
            self._plan_restart(ending(returncode), now)
        else:
            self._log(f"{ending(returncode)}; it is not restarted")
        # Last, because other threads may read `given_up` at any time.
        self.child = None

    def _plan_restart(self, what: str, now: float) -> None:
        delay_s = self._backoff.delay_s(now - self._started_at)
        self.due_at = now + delay_s
        self._log(f"{what}; it is restarted in {delay_s:g} s")

    def _log(self, line: str) -> None:
        self._on_line(self.program.name, line)


_FileState = tuple[Path, int, int, int]
"""path, inode, size in bytes, time of modification in ns"""


def _state_of(paths: Iterable[Path]) -> frozenset[_FileState]:
    """The state of files, and of all files below folders; missing files are left out."""
    return frozenset(_file_states(paths))


def _file_states(paths: Iterable[Path]) -> Iterator[_FileState]:
    for path in paths:
        below = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        for file in (path, *below):
            with suppress(OSError):
                if file.is_file():
                    status = file.stat()
                    yield file, status.st_ino, status.st_size, status.st_mtime_ns
