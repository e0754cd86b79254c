"""Forked commands behave as executed ones: output, exit statuses, signals, and an end with their starter."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from transport_support import GENEROUS_S, free_port, wait_until

from omnibind_ros.process.child import Child, stop_all
from omnibind_ros.process.fork_server import ForkedProcess, ForkServer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the fork server needs Linux")


class Started:
    """A forked command and its output."""

    def __init__(self, server: ForkServer, *arguments: str, **environment: str) -> None:
        self.lines: list[str] = []
        self.ended = False
        self.child = Child(
            "forked", arguments, lambda _, line: self.lines.append(line), self._end, environment, server.spawn
        )

    def status(self) -> int:
        """Its exit status, once all of its output has arrived."""
        wait_until(lambda: self.ended, "the end")
        assert self.child.returncode is not None
        return self.child.returncode

    def _end(self) -> None:
        self.ended = True


@pytest.fixture(scope="module")
def server() -> ForkServer:
    return ForkServer(["omnibind_ros.cli.preload"])


@pytest.fixture
def fusion(server: ForkServer) -> Iterator[Started]:
    network = {"OMNIBIND_ROUTER": f"tcp/127.0.0.1:{free_port()}", "ROS_DOMAIN_ID": "42"}
    started = Started(server, "fusion", **network)
    yield started
    if started.child.runs:
        started.child.kill()
        started.status()


def test_output_and_status_are_those_of_the_command(server: ForkServer) -> None:
    helped = Started(server, "--help")
    assert helped.status() == 0
    assert helped.lines[0].startswith("Usage: omnibind")
    refused = Started(server, "fusion", "--bundle", "nonsense")
    assert refused.status() == 2
    assert len(refused.lines) == 1 and "no bundle 'nonsense'" in refused.lines[0]


def test_a_command_has_its_own_environment_and_session(server: ForkServer, fusion: Started) -> None:
    pid = fusion.child.pid
    wait_until(lambda: os.getsid(pid) == pid, "a session of its own")
    other = Started(server, "fusion", ROS_DOMAIN_ID="house")
    assert other.status() == 2
    assert "'house'" in other.lines[0]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_signals_end_it_as_they_should(fusion: Started, number: int, status: int) -> None:
    wait_until(lambda: _threads(fusion.child.pid) > 3, "fusion runs")
    fusion.child.send(number)
    assert fusion.status() == status
    assert fusion.lines == []


def test_it_shares_what_was_imported(fusion: Started) -> None:
    wait_until(lambda: _threads(fusion.child.pid) > 3, "fusion runs")
    rollup = Path(f"/proc/{fusion.child.pid}/smaps_rollup").read_text().split()
    private_kb = sum(int(rollup[rollup.index(f"Private_{kind}:") + 1]) for kind in ("Clean", "Dirty"))
    assert private_kb < 35_000, "an executed one has 47 MB to itself"


def test_after_the_server_was_killed_its_commands_are_gone_and_a_new_one_starts() -> None:
    server = ForkServer([])
    first = Started(server, "fusion", OMNIBIND_ROUTER=f"tcp/127.0.0.1:{free_port()}")
    os.kill(_parent(first.child.pid), signal.SIGKILL)
    assert first.status() == -signal.SIGKILL
    wait_until(lambda: _is_gone(first.child.pid), "the command is gone")
    assert Started(server, "--help").status() == 0


def test_a_server_that_does_not_answer_is_killed_and_a_new_one_starts() -> None:
    server = ForkServer([], patience_s=GENEROUS_S)
    first = Started(server, "fusion", OMNIBIND_ROUTER=f"tcp/127.0.0.1:{free_port()}")
    server._connection._patience_s = 0.2
    os.kill(_parent(first.child.pid), signal.SIGSTOP)
    with pytest.raises(OSError, match=r"does not answer within 0\.2 s"):
        Started(server, "--help")
    assert first.status() == -signal.SIGKILL
    assert Started(server, "--help").status() == 0
    server.close()


def test_closing_ends_a_server_that_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnibind_ros.process.fork_server.GRACE_S", 0.1)
    server = ForkServer([])
    first = Started(server, "fusion", OMNIBIND_ROUTER=f"tcp/127.0.0.1:{free_port()}")
    os.kill(_parent(first.child.pid), signal.SIGSTOP)
    server.close()
    assert first.status() == -signal.SIGKILL


def test_the_commands_of_a_server_that_is_stopped_can_be_ended_all_the_same() -> None:
    server = ForkServer([])
    started = [Started(server, "fusion", OMNIBIND_ROUTER=f"tcp/127.0.0.1:{free_port()}") for _ in range(2)]
    pid = _parent(started[0].child.pid)
    os.kill(pid, signal.SIGSTOP)
    stop_all([one.child for one in started], grace_s=0.1)
    wait_until(lambda: all(_is_gone(one.child.pid) for one in started), "the commands are gone")
    os.kill(pid, signal.SIGCONT)
    for one in started:
        one.status()
    server.close()


def test_a_signal_to_a_command_whose_end_is_not_reported_yet_does_nothing() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    ForkedProcess(ended.pid).send_signal(signal.SIGTERM)


def test_nothing_outlives_the_process_that_started_it() -> None:
    program = (
        "import os, signal\n"
        "from omnibind_ros.process.child import Child\n"
        "from omnibind_ros.process.fork_server import ForkServer\n"
        "spawn = ForkServer([]).spawn\n"
        f"network = {{'OMNIBIND_ROUTER': 'tcp/127.0.0.1:{free_port()}'}}\n"
        "child = Child('x', ['fusion'], print, environment=network, spawn=spawn)\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=GENEROUS_S, check=False
    )
    pid = int(done.stdout)
    wait_until(lambda: _is_gone(pid), "the command is gone")


def _threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def _is_gone(pid: int) -> bool:
    """It has ended, though nobody may have asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
