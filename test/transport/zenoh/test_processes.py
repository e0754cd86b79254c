"""`omnibind fusion` and `omnibind encoder` as processes: start-up, signals and memory.

What the processes do is tested over both transports in test/transport/conformance. Reaction times are printed
(`pytest -s`); asserted is that things happen, and what they are.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from robot_support import Robot
from tiny_bundle import LABELS, write_tiny_bundle
from transport_support import free_port, wait_until


@pytest.fixture(scope="module")
def shared_robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    robot = Robot(write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny"), free_port())
    yield robot
    robot.close()


@pytest.fixture
def robot(shared_robot: Robot) -> Iterator[Robot]:
    yield shared_robot
    shared_robot.tidy()
    wait_until(lambda: not shared_robot.witness.live_now(), "no sensor live after the test")


def tell(what: str, seconds: float, target_ms: float) -> None:
    print(f"\n    {what}: {seconds * 1e3:.0f} ms (target {target_ms:.0f})", end="")


def test_a_sensor_joins_with_its_first_sample_and_leaves_when_stopped(robot: Robot) -> None:
    encoder = robot.encoder("camera")
    robot.wait_for_encoder("camera")
    assert robot.witness.live_now() == frozenset()
    camera = robot.camera("camera", 2)
    wait_until(lambda: camera.first_published, "first picture")
    tell("first sample -> answer", robot.witness.until("camera", True, camera.first_published), 300)
    robot.witness.until_answer("camera", LABELS[2])

    stopped = encoder.send(signal.SIGTERM)
    tell("graceful stop", robot.witness.until("camera", False, stopped), 100)
    status, output = encoder.ended()
    assert (status, output) == (0, "")
    quiet = time.monotonic()
    answers = robot.witness.answers
    wait_until(lambda: sum(at > quiet for at, _ in answers) > 3, "fusion repeats that no sensor is live")
    assert not any(message.results for at, message in answers if at > quiet)


def test_an_encoder_starts_quickly_beside_a_running_driver(robot: Robot) -> None:
    robot.camera("quick", 1)
    started = time.monotonic()
    robot.encoder("quick")
    tell("exec -> answer", robot.witness.until("quick", True, started), 1500)


def test_a_killed_encoder_is_noticed_and_its_successor_joins(robot: Robot) -> None:
    robot.camera("victim", 3)
    killed = robot.encoder("victim").send
    robot.witness.until("victim", True)
    tell("SIGKILL", robot.witness.until("victim", False, killed(signal.SIGKILL)), 500)
    again = time.monotonic()
    robot.encoder("victim")
    robot.witness.until("victim", True, again)
    robot.witness.until_answer("victim", LABELS[3])


def test_robot_processes_are_small_and_know_no_torch(robot: Robot) -> None:
    robot.camera("thin", 1)
    encoder = robot.encoder("thin")
    robot.witness.until("thin", True)
    for name, process in (("fusion", robot.fusion), ("encoder", encoder)):
        print(f"\n    {name}: {process.resident_mb():.0f} MB", end="")
        assert process.resident_mb() < 150
        assert "torch" not in process.maps()
