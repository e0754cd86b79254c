"""The supervisor keeps a robot's processes running: what crashes is started again, ever more patiently.

    supervisor = Supervisor([Program("fusion", command), ...], on_line=print)
    supervisor.start()
    ...
    supervisor.stop()

A program that ends with status 2 refused its configuration: it would do so again, and is left alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from omnibind_ros.process.child import GRACE_S, Child, OnLine, Spawn, ending, execute, stop_all

REFUSED = 2
"""Exit status of a command that does not accept its configuration."""


@dataclass(frozen=True)
class Program:
    """A process to keep running.

    Attributes:
        name: what it is called in log lines.
        respawn: start it again when it ends.
        respawn_delay_s: how long after that; doubled each time it ends again without having been healthy.
    """

    name: str
    command: Sequence[str]
    respawn: bool = True
    respawn_delay_s: float = 1.0


@dataclass
class Backoff:
    """Exponential back-off: `first_s`, doubled up to `longest_s`, and forgiven after a healthy while."""

    first_s: float
    longest_s: float = 30.0
    healthy_s: float = 10.0
    _next_s: float = 0.0

    def delay_s(self, ran_s: float) -> float:
        """How long to wait after a process that ran for `ran_s`."""
        if ran_s >= self.healthy_s or not self._next_s:
            self._next_s = self.first_s
        delay_s = min(self._next_s, max(self.first_s, self.longest_s))
        self._next_s = 2 * delay_s
        return delay_s


class Supervisor:
    """Runs programs as child processes from `start` to `stop`, on a thread of its own.

    Args:
        on_line: told of the programs' output, and of their ends and restarts, line by line.
            Called on several threads; it should hand over and return.
        environment: variables to set for all programs.
        healthy_s: a program that ran for so long has its back-off forgiven.
        longest_s: the longest back-off.
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
            )
            for program in programs
        ]
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start all programs, and watch over them."""
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
    def pids(self) -> dict[str, int]:
        """Process ids of the programs that run now, by name."""
        children = [kept.child for kept in self._kept]
        return {child.name: child.pid for child in children if child is not None and child.runs}

    @property
    def idle(self) -> bool:
        """No program runs, and none will be started again."""
        return all(kept.given_up for kept in self._kept)

    @property
    def refused(self) -> tuple[str, ...]:
        """Names of the programs that did not accept their configuration."""
        return tuple(kept.program.name for kept in self._kept if kept.refused)

    def _run(self) -> None:
        # Children live as long as the thread that made them: all of them are made here.
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
        self, program: Program, backoff: Backoff, spawn: Callable[[], Child], on_line: OnLine
    ) -> None:
        self.program = program
        self.child: Child | None = None
        self.due_at: float | None = 0.0
        """when to start it (steady clock, s); None while it runs or for ever"""
        self.refused = False
        self._backoff = backoff
        self._on_line = on_line
        self._spawn = spawn
        self._started_at = 0.0

    @property
    def given_up(self) -> bool:
        return self.child is None and self.due_at is None

    def look(self, now: float) -> None:
        if self.child is not None and not self.child.runs:
            self._note_end(self.child.returncode or 0, now)
        if self.due_at is not None and now >= self.due_at:
            self._start(now)

    def _start(self, now: float) -> None:
        self._started_at = now
        try:
            self.child = self._spawn()
        except OSError as error:
            self._plan_restart(f"cannot be started ({error.strerror or error})", now)
        else:
            self.due_at = None

    def _note_end(self, returncode: int, now: float) -> None:
        self.refused = returncode == REFUSED
        if self.refused:
            self._say("refused its configuration (see above); it is not started again")
        elif self.program.respawn:
            self._plan_restart(ending(returncode), now)
        else:
            self._say(f"{ending(returncode)}; it is not to be started again")
        # Last: others may ask at any time whether we have given up, and then why.
        self.child = None

    def _plan_restart(self, what: str, now: float) -> None:
        delay_s = self._backoff.delay_s(now - self._started_at)
        self.due_at = now + delay_s
        self._say(f"{what}; starting it again in {delay_s:g} s")

    def _say(self, what: str) -> None:
        self._on_line(self.program.name, what)
