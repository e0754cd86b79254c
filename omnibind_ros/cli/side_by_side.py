"""Commands run side by side, so many at a time, each in a process of its own.

A student is too small to fill more than one core; two of them fill two.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Mapping, Sequence

from omnibind_ros.errors import TrainingError
from omnibind_ros.process.child import Child, ending, omnibind, stop_all

Tell = Callable[[str], None]


def side_by_side(commands: Mapping[str, Sequence[object]], jobs: int, tell: Tell) -> None:
    """Run `omnibind` with each of these arguments, `jobs` at a time, in the order given.

    The cores are shared out evenly. If one fails, or Ctrl-C comes, the others are stopped.

    Args:
        commands: by the name that each is told under.
        tell: told of each that is done, in a line. What they print themselves is not shown.

    Raises:
        TrainingError: one failed; with the last line it printed.
    """
    waiting, running, begun = list(commands), dict[str, Child](), dict[str, float]()
    ended: queue.SimpleQueue[str] = queue.SimpleQueue()
    last: dict[str, str] = {}

    def on_line(name: str, line: str) -> None:
        if line.strip():
            last[name] = line.strip()

    threads = str(max(1, len(os.sched_getaffinity(0)) // jobs))
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop(0)
                begun[name] = time.monotonic()
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
            tell(f"{done}: done in {time.monotonic() - begun[done]:.0f} s")
    finally:
        stop_all(running.values())
