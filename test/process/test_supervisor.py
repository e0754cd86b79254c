"""The supervisor with real processes: restarts with back-off, an end for everybody, no orphans."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from transport_support import GENEROUS_S, wait_until

from omnibind_ros.process.child import omnibind
from omnibind_ros.process.supervisor import Backoff, Program, Supervisor

SLEEPS = (sys.executable, "-c", "import time; print('up'); time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up'); time.sleep(600)",
)


def ends_with(status: int) -> tuple[str, ...]:
    return (sys.executable, "-c", f"raise SystemExit({status})")


class Lines:
    """What a supervisor says."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str] = queue.Queue()

    def __call__(self, name: str, line: str) -> None:
        self._lines.put(f"{name}: {line}")

    def next(self) -> str:
        return self._lines.get(timeout=GENEROUS_S)

    @property
    def empty(self) -> bool:
        return self._lines.empty()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def supervise(lines: Lines) -> Iterator[Callable[..., Supervisor]]:
    started: list[Supervisor] = []

    def start(*programs: Program, **settings: Any) -> Supervisor:
        started.append(Supervisor(programs, lines, **settings))
        started[-1].start()
        return started[-1]

    yield start
    for supervisor in started:
        supervisor.stop()


def runs(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_child_is_started_again(supervise: Callable[..., Supervisor], lines: Lines) -> None:
    supervisor = supervise(Program("camera", SLEEPS, respawn_delay_s=0.05))
    assert lines.next() == "camera: up"
    first = supervisor.pids["camera"]
    os.kill(first, signal.SIGKILL)
    assert lines.next() == "camera: killed by SIGKILL; starting it again in 0.05 s"
    assert lines.next() == "camera: up"
    assert supervisor.pids["camera"] != first


def test_a_child_that_keeps_crashing_waits_ever_longer(
    supervise: Callable[..., Supervisor], lines: Lines
) -> None:
    supervise(Program("camera", ends_with(1), respawn_delay_s=0.02), longest_s=0.06)
    told = [lines.next().rpartition(" in ")[2] for _ in range(4)]
    assert told == ["0.02 s", "0.04 s", "0.06 s", "0.06 s"]


def test_back_off_is_forgiven_after_a_healthy_while() -> None:
    backoff = Backoff(first_s=1.0, longest_s=5.0, healthy_s=10.0)
    assert [backoff.delay_s(ran_s=0.1) for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
    assert backoff.delay_s(ran_s=10.0) == 1.0
    assert backoff.delay_s(ran_s=0.1) == 2.0


def test_a_refused_configuration_is_not_tried_again(
    supervise: Callable[..., Supervisor], lines: Lines
) -> None:
    supervisor = supervise(Program("camera", ends_with(2), respawn_delay_s=0.01))
    assert "refused its configuration" in lines.next()
    wait_until(lambda: supervisor.idle, "the supervisor gives up")
    assert supervisor.refused == ("camera",)


def test_what_lies_in_the_current_folder_is_not_imported(
    tmp_path: Path,
    supervise: Callable[..., Supervisor],
    lines: Lines,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "omnibind_ros" / "config").mkdir(parents=True)
    (tmp_path / "typer.py").write_text("raise SystemExit('a stray typer.py')\n")
    monkeypatch.chdir(tmp_path)
    supervisor = supervise(Program("player", omnibind("play", "missing.mcap"), respawn=False))
    assert "player: omnibind: no bag at missing.mcap" in lines.next()
    wait_until(lambda: supervisor.idle, "the player ends")
    assert supervisor.refused == ("player",)


def test_a_program_may_be_left_alone_when_it_ends(supervise: Callable[..., Supervisor], lines: Lines) -> None:
    supervisor = supervise(Program("camera", ends_with(0), respawn=False))
    assert lines.next() == "camera: ended with status 0; it is not to be started again"
    wait_until(lambda: supervisor.idle, "the supervisor gives up")
    assert not supervisor.refused


def test_a_program_that_is_not_there_is_tried_again(
    supervise: Callable[..., Supervisor], lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    supervise(Program("camera", ["/nowhere/camera"], respawn_delay_s=0.01))
    problem = "cannot be started (No such file or directory)"
    assert lines.next() == f"camera: {problem}; starting it again in 0.01 s"


def test_stop_ends_all_and_kills_the_stubborn(supervise: Callable[..., Supervisor], lines: Lines) -> None:
    supervisor = supervise(Program("camera", SLEEPS), Program("mule", STUBBORN))
    assert {lines.next(), lines.next()} == {"camera: up", "mule: up"}
    pids = supervisor.pids
    supervisor.stop(grace_s=0.2)
    assert not any(runs(pid) for pid in pids.values())
    assert lines.empty, "an end that was asked for is no crash"


@pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")
def test_children_do_not_outlive_a_supervisor_that_is_killed() -> None:
    code = (
        "import sys, time\n"
        "from omnibind_ros.process.supervisor import Program, Supervisor\n"
        "child = (sys.executable, '-c', 'import os, time; print(os.getpid()); time.sleep(600)')\n"
        "Supervisor([Program('camera', child)], lambda name, line: print(line, flush=True)).start()\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    child = int(parent.stdout.readline())
    assert runs(child)
    parent.kill()
    parent.wait()
    wait_until(lambda: not runs(child), "the child is gone")
