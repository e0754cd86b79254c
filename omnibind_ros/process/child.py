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


class Child:
    """A started process. Its stdout and stderr are read by line; Ctrl-C in our terminal does not reach it.

    On Linux the kernel kills it when the thread that started it ends, for whatever reason.

    Args:
        name: its name in log lines.
        command: program and arguments.
        on_line: called with every line that it prints.
        on_end: called once, when it has ended and all of its lines are read.
        environment: variables to set in addition to ours.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        on_line: OnLine,
        on_end: Callable[[], None] = lambda: None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._on_line = on_line
        self._on_end = on_end
        self._process = subprocess.Popen(
            bound_to_us(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            text=True,
            errors="replace",
            # Otherwise Ctrl-C reaches it first, and our SIGTERM counts as the second signal, which kills.
            start_new_session=True,
        )
        threading.Thread(target=self._read, name=f"output of {name}", daemon=True).start()

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

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit status; None if it still runs after `timeout_s`."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._on_line(self.name, line.rstrip())
        self._process.wait()
        self._on_end()


def stop_all(children: Iterable[Child], grace_s: float = GRACE_S) -> None:
    """End several processes: SIGTERM to all, then SIGKILL to those that still run after `grace_s`."""
    running = [child for child in children if child.runs]
    for child in running:
        child.terminate()
    deadline = time.monotonic() + grace_s
    for child in running:
        if child.wait(max(0.0, deadline - time.monotonic())) is None:
            child.kill()
            child.wait()


def ending(returncode: int) -> str:
    """An exit status in words: `killed by SIGKILL`, `ended with status 1`."""
    if returncode >= 0:
        return f"ended with status {returncode}"
    try:
        return f"killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"killed by signal {-returncode}"
