"""Encoder and fusion nodes in processes of their own: signals and lifecycle.

What the processes do is tested over both transports in test/transport/conformance. Reaction times are printed
(`pytest -s`); asserted is that things happen, and what they are.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from robot import CLOUD, DEEP_LATCHED
from ros_robot import EXECUTABLES, NodeProcess, Robot
from tiny_bundle import LABELS
from transport_support import wait_until

from omnibind_ros.process.child import run_main


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
    assert encoder.ended() == 0
    quiet = time.monotonic()
    answers = robot.witness.answers
    wait_until(lambda: sum(at > quiet for at, _ in answers) > 3, "fusion repeats that no sensor is live")
    assert not any(message.results for at, message in answers if at > quiet)


def test_an_encoder_that_is_interrupted_twice_publishes_a_withdrawal_before_it_ends(robot: Robot) -> None:
    robot.camera("polite", 1)
    heard = robot.hear("omnibind/polite/embedding", CLOUD, DEEP_LATCHED)
    encoder = robot.encoder("polite")
    robot.witness.until("polite", True)
    # As when Ctrl-C reaches a launcher and its nodes, and the launcher passes it on.
    encoder.send(signal.SIGINT)
    encoder.send(signal.SIGINT)
    assert encoder.ended() == 0
    assert "Traceback" not in "".join(encoder.lines)
    robot.fusion_reports("polite", lambda values: values["encoders"] == "0")
    wait_until(lambda: heard[-1].width == 0, "the last message is a withdrawal")


def test_a_node_that_is_interrupted_before_python_runs_ends_as_soon_as_it_can() -> None:
    # As the launch files start it.
    node = NodeProcess("fusion", ("env", "--block-signal=INT,TERM", *run_main(EXECUTABLES, "fusion_node")))
    status = Path(f"/proc/{node.child.pid}/status")

    def blocked() -> int:
        return int(status.read_text().split("SigBlk:")[1].split()[0], 16)

    wait_until(lambda: blocked() >> (signal.SIGINT - 1) & 1, "signals are blocked")
    node.send(signal.SIGINT)
    assert (node.ended(), node.lines) == (0, [])


@pytest.mark.parametrize("library", ["_rclpy", "numpy", "onnxruntime"])
def test_a_node_that_is_interrupted_while_it_imports_ends_without_a_traceback(library: str) -> None:
    node = NodeProcess("fusion", run_main(EXECUTABLES, "fusion_node"))
    wait_until(lambda: library in Path(f"/proc/{node.child.pid}/maps").read_text(), f"{library} is loaded")
    node.send(signal.SIGINT)
    assert node.ended() == 0
    assert "Traceback" not in "\n".join(node.lines)


def test_a_killed_encoder_is_noticed_and_its_successor_is_no_second_one(robot: Robot) -> None:
    robot.camera("victim", 3)
    encoder = robot.encoder("victim")
    robot.witness.until("victim", True)
    tell("SIGKILL", robot.witness.until("victim", False, encoder.send(signal.SIGKILL)), 500)
    robot.fusion_reports("victim", lambda values: values["encoders"] == "0" and values["state"] == "lost")
    # The graph lists the killed one for ten seconds more.
    again = time.monotonic()
    robot.encoder("victim")
    robot.witness.until("victim", True, again)
    robot.witness.until_answer("victim", LABELS[3])
    robot.fusion_reports("victim", lambda values: values["encoders"] == "1" and values["state"] == "live")
    messages = [values["message"] for name, values in robot.witness.reports if name == "fusion: victim"]
    assert not [message for message in messages if "publish under this name" in message]


def test_an_encoder_follows_lifecycle_requests(robot: Robot) -> None:
    robot.camera("told", 2)
    encoder = robot.encoder("told", autostart=False)
    node, topic = "encoder_told", "omnibind/told/embedding"
    status = robot.encoder_reports("told", lambda values: "unconfigured" in values["message"])
    assert status["level"] == "1"
    assert robot.state(node) == "unconfigured"
    assert not robot.transition(node, "activate")

    assert robot.transition(node, "configure")
    assert robot.state(node) == "inactive"
    robot.encoder_reports("told", lambda values: "the node is inactive" in values["message"])
    assert robot.node.count_publishers(topic) == 0

    for _ in range(2):
        requested = time.monotonic()
        assert robot.transition(node, "activate")
        robot.witness.until("told", True, requested)
        requested = time.monotonic()
        assert robot.transition(node, "deactivate")
        tell("deactivate", robot.witness.until("told", False, requested), 100)
        wait_until(lambda: robot.node.count_publishers(topic) == 0, "an inactive encoder has no publisher")
        assert robot.transition(node, "cleanup")
        assert robot.transition(node, "configure")

    requested = time.monotonic()
    assert robot.transition(node, "activate")
    robot.witness.until("told", True, requested)
    requested = time.monotonic()
    assert robot.transition(node, "shutdown")
    robot.witness.until("told", False, requested)
    assert robot.state(node) == "finalized"
    encoder.send(signal.SIGTERM)
    assert encoder.ended() == 0
