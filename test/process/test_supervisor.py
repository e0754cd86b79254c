"""The supervisor with real processes: restarts with back-off, a complete stop, no orphans."""

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

from omnibind_ros.process.supervisor import Backoff, Program, Supervisor

SLEEPS = (sys.executable, "-c", "import os, time; print(os.getpid()); time.sleep(600)")
STUBBORN = (
    sys.executable,
    "-c",
    "import os, signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print(os.getpid())\n"
    "time.sleep(600)\n",
)


def ends_with(status: int) -> tuple[str, ...]:
    return (sys.executable, "-c", f"raise SystemExit({status})")


class Lines:
    """The lines of a supervisor."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str] = queue.Queue()

    def __call__(self, name: str, line: str) -> None:
        self._lines.put(f"{name}: {line}")

    def next(self) -> str:
        return self._lines.get(timeout=GENEROUS_S)

    def next_pid(self) -> int:
        """The process id that a program has printed."""
        return int(self.next().rpartition(": ")[2])

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
    supervise(Program("camera", SLEEPS, respawn_delay_s=0.05))
    first = lines.next_pid()
    os.kill(first, signal.SIGKILL)
    assert lines.next() == "camera: killed by SIGKILL; it is restarted in 0.05 s"
    assert lines.next_pid() != first


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
    assert lines.next() == "camera: refused its configuration (see above); it is not restarted"
    wait_until(lambda: supervisor.idle, "the supervisor gives up")
    assert supervisor.refused == ("camera",)


def accepts(*files: Path) -> tuple[str, ...]:
    """Runs if all of these files contain `good`, else refuses."""
    code = (
        "import sys, time\n"
        "if any(open(file).read() != 'good' for file in sys.argv[1:]): sys.exit(2)\n"
        "print('up')\n"
        "time.sleep(600)\n"
    )
    return (sys.executable, "-c", code, *map(str, files))


def replace(file: Path, text: str) -> None:
    """Change a file at once, so that nobody reads half of it."""
    new = file.with_name("new")
    new.write_text(text)
    new.replace(file)


def test_a_refused_program_is_restarted_when_its_configuration_has_changed(
    supervise: Callable[..., Supervisor], lines: Lines, tmp_path: Path
) -> None:
    robot, bundle = tmp_path / "robot.yaml", tmp_path / "bundle"
    model = bundle / "models" / "audio.onnx"
    model.parent.mkdir(parents=True)
    robot.write_text("typo")
    model.write_text("damaged")
    camera = Program("camera", accepts(robot, model), depends_on=(robot, bundle))
    supervisor = supervise(camera, poll_s=0.01)
    refused = "camera: refused its configuration (see above)"
    refusal = f"{refused}; it is restarted when {robot} or {bundle} changes"
    assert lines.next() == refusal
    assert (supervisor.refused, supervisor.idle) == (("camera",), False)
    replace(robot, "good")
    assert lines.next() == refusal
    replace(model, "good")
    assert lines.next() == "camera: up"
    assert supervisor.refused == ()


def test_a_refused_program_is_left_alone_while_its_configuration_stays_the_same(
    supervise: Callable[..., Supervisor], lines: Lines, tmp_path: Path
) -> None:
    robot = tmp_path / "robot.yaml"
    robot.write_text("typo")
    camera = Program("camera", accepts(robot), depends_on=(robot,))
    clock = Program("clock", ends_with(1), respawn_delay_s=0.05)
    supervise(camera, clock, poll_s=0.001, longest_s=0.05)
    told = [lines.next() for _ in range(12)]
    assert len([line for line in told if line.startswith("camera: ")]) == 1


def test_a_refused_program_that_is_not_to_respawn_is_not_restarted(
    supervise: Callable[..., Supervisor], lines: Lines, tmp_path: Path
) -> None:
    supervisor = supervise(Program("camera", ends_with(2), respawn=False, depends_on=(tmp_path,)))
    assert "it is not restarted" in lines.next()
    wait_until(lambda: supervisor.idle, "the supervisor gives up")


def test_a_program_may_be_left_alone_when_it_ends(supervise: Callable[..., Supervisor], lines: Lines) -> None:
    supervisor = supervise(Program("camera", ends_with(0), respawn=False))
    assert lines.next() == "camera: ended with status 0; it is not restarted"
    wait_until(lambda: supervisor.idle, "the supervisor gives up")
    assert not supervisor.refused


def test_a_program_that_is_not_there_is_tried_again(
    supervise: Callable[..., Supervisor], lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    supervise(Program("camera", ["/nowhere/camera"], respawn_delay_s=0.01))
    problem = "cannot be started (No such file or directory)"
    assert lines.next() == f"camera: {problem}; it is restarted in 0.01 s"


def test_stop_ends_all_and_kills_the_stubborn(supervise: Callable[..., Supervisor], lines: Lines) -> None:
    supervisor = supervise(Program("camera", SLEEPS), Program("mule", STUBBORN))
    pids = [lines.next_pid(), lines.next_pid()]
    supervisor.stop(grace_s=0.2)
    assert not any(map(runs, pids))
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
