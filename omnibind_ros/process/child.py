"""Child processes: their command lines, output, end, and that they never outlive this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

GRACE_S = 3.0
"""Time that a process has to end after SIGTERM before it is killed."""

_DIE_WITH_PARENT = Path(__file__).with_name("die_with_parent.py")

# `python -m` and `python -c` search the current folder first, and would import a stray typer.py or a checkout
# called omnibind_ros from it. A child searches where this process would, without the current folder.
_NOT_FROM_HERE = "import sys; sys.path = [*filter(None, sys.path)]; "
_IMPORT_US = f"sys.path.insert(0, {str(Path(__file__).parents[2])!r}); import omnibind_ros; del sys.path[0]; "

OnLine = Callable[[str, str], None]
"""Called with the child's name and a line of its output, without the line's end, on a thread of the child."""


def omnibind(*arguments: object) -> tuple[str, ...]:
    """The command line of an `omnibind` command of this very package, for any current folder."""
    return run_main("omnibind_ros.cli.main", *arguments)


def run_main(module: str, *arguments: object) -> tuple[str, ...]:
    """The command line that calls `main()` of a module of this very package, for any current folder."""
    return run_code(f"{_IMPORT_US}from {module} import main; sys.exit(main())", *arguments)


def run_code(code: str, *arguments: object) -> tuple[str, ...]:
    """The command line that runs Python code, which imports nothing from the current folder."""
    return (sys.executable, "-c", _NOT_FROM_HERE + code, *map(str, arguments))


def bound_to_us(command: Sequence[str]) -> list[str]:
    """The command line of the same process, which the kernel kills when the thread that starts it ends.

    Only on Linux; unchanged elsewhere.
    """
    if sys.platform != "linux":
        return list(command)
    return [sys.executable, "-I", "-S", str(_DIE_WITH_PARENT), str(os.getpid()), *command]


class Process(Protocol):
    """A started process; the part of `subprocess.Popen` that is needed here."""

    @property
    def pid(self) -> int: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int | None: ...

    def send_signal(self, number: int) -> None: ...


Spawn = Callable[[Sequence[str], Mapping[str, str], int], Process]
"""Starts a command with environment variables in addition to ours; its output goes to a file descriptor."""


def execute(command: Sequence[str], environment: Mapping[str, str], output: int) -> Process:
    """Start program and arguments.

    On Linux the kernel kills it when the thread that started it ends, for whatever reason.

    Raises:
        OSError: there is no such program, or no process can be started.
    """
    return subprocess.Popen(
        bound_to_us(command),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        # Else Ctrl-C reaches it first, and our SIGTERM then counts as the second, forceful signal.
        start_new_session=True,
    )


class Child:
    """A started process. Its stdout and stderr come as lines; Ctrl-C in our terminal does not reach it.

    Args:
        name: its name in log lines.
        command: program and arguments, or what else `spawn` takes.
        on_line: called with every line of its output.
        on_end: called once when it has ended, after its last line.
        environment: variables to set in addition to ours.
        spawn: starts it.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        on_line: OnLine,
        on_end: Callable[[], None] = lambda: None,
        environment: Mapping[str, str] | None = None,
        spawn: Spawn = execute,
    ) -> None:
        self.name = name
        self._on_line = on_line
        self._on_end = on_end
        reader, writer = os.pipe()
        try:
            self._process = spawn(command, environment or {}, writer)
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        threading.Thread(target=self._read, args=(reader,), name=f"output of {name}", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit status, negative = the signal that ended it; None while it runs."""
        return self._process.poll()

    @property
    def runs(self) -> bool:
        return self.returncode is None

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send(signal.SIGKILL)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit status; None if it still runs after `timeout_s`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def _read(self, reader: int) -> None:
        with open(reader, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self._on_line(self.name, line.rstrip())
        self._process.wait()
        self._on_end()


def stop_all(children: Iterable[Child], grace_s: float = GRACE_S) -> None:
    """End several processes: SIGTERM to all, then SIGKILL to those that still run after `grace_s`.

    Returns after twice `grace_s` at the latest: a fork server that is stopped reports no ends.
    """
    running = [child for child in children if child.runs]
    for child in running:
        child.terminate()
    late = _running_after(grace_s, running)
    for child in late:
        child.kill()
    _running_after(grace_s, late)


def _running_after(timeout_s: float, children: Iterable[Child]) -> list[Child]:
    """Wait for the children together; those that still run after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    return [child for child in children if child.wait(max(0.0, deadline - time.monotonic())) is None]


def ending(returncode: int) -> str:
    """An exit status in words: `killed by SIGKILL`, `ended with status 1`."""
    if returncode >= 0:
        return f"ended with status {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"
