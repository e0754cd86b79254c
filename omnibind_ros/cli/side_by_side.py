"""Runs `omnibind` commands in parallel, each in its own process.

Training a student uses little more than one core, so two in parallel use two.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Callable, Mapping, Sequence

from omnibind_ros.errors import TrainingError
from omnibind_ros.process.child import Child, ending, omnibind, stop_all

Log = Callable[[str], None]


def side_by_side(commands: Mapping[str, Sequence[object]], jobs: int, log: Log) -> None:
    """Run `omnibind` with each of these arguments, `jobs` at a time, in the given order.

    The cores are divided evenly among the jobs. If a command fails, or on Ctrl-C, the others are stopped.

    Args:
        commands: arguments by a name for messages.
        log: receives a line for each finished command. What the commands print is not shown.

    Raises:
        TrainingError: a command failed; the message has the last line that it printed.
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
                line = last.get(done, "").removeprefix("omnibind: ")
                raise TrainingError(f"{done}: {line or ending(status)}")
            log(f"{done}: done in {time.monotonic() - begun[done]:.0f} s")
    finally:
        stop_all(running.values())
