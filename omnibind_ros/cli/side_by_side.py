"""Commands run side by side, so many at a time, each in a process of its own.

A student is too small to fill more than one core; two of them fill two.
"""

from __future__ import annotations

import os
import queue
from collections.abc import Callable, Mapping, Sequence

from omnibind_ros.core.errors import TrainingError
from omnibind_ros.runtime.child import Child, ending, omnibind, stop_all

Tell = Callable[[str], None]


def side_by_side(commands: Mapping[str, Sequence[object]], jobs: int, tell: Tell) -> None:
    """Run `omnibind` with each of these arguments, `jobs` at a time, in the order given.

    The cores are shared out evenly. If one fails, or Ctrl-C comes, the others are stopped.

    Args:
        commands: by the name that its lines are told under.
        tell: told of every line that is printed.

    Raises:
        TrainingError: one failed; with the last line it printed.
    """
    waiting, running = list(commands), dict[str, Child]()
    ended: queue.SimpleQueue[str] = queue.SimpleQueue()
    last: dict[str, str] = {}

    def on_line(name: str, line: str) -> None:
        if line.strip():
            last[name] = line.strip()
            tell(f"{name}: {line.strip().removeprefix('omnibind: ')}")

    threads = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop(0)
                running[name] = Child(
                    name,
                    omnibind(*commands[name]),
                    on_line,
                    lambda name=name: ended.put(name),  # type: ignore[misc]
                    {"OMP_NUM_THREADS": threads},
                )
            done = ended.get()
            status = running.pop(done).wait()
            if status:
                said = last.get(done, "").removeprefix("omnibind: ")
                raise TrainingError(f"{done}: {said or ending(status)}")
    finally:
        stop_all(running.values())
