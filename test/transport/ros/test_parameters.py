"""Parameters: refused with a reason, or applied; a wrong value is corrected without a restart."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rcl_interfaces.msg import ParameterType
from rclpy.duration import Duration
from robot import DEEP_LATCHED, names
from ros_robot import Robot
from tiny_bundle import LABELS, SPACE
from transport_support import wait_until

from omnibind_ros.messages.embedding_cloud import encode_embedding
from omnibind_ros.types import Embedding

HUMBLE = os.environ["ROS_DISTRO"] == "humble"
"""whose parameters keep the type of the last value"""


@pytest.fixture(scope="module")
def one_robot(bundle: Path) -> Iterator[Robot]:
    with Robot(bundle, "parameters") as robot:
        robot.camera("camera", 2)
        robot.encoder("camera")
        robot.witness.until("camera", True)
        yield robot


@pytest.fixture
def robot(one_robot: Robot) -> Iterator[Robot]:
    """A robot with one camera; the parameters of its fusion are as before after the test."""
    before = {name: one_robot.get("fusion", name) for name in DEFAULTS}
    assert before == DEFAULTS
    yield one_robot
    for name, value in before.items():
        assert one_robot.set("fusion", name, str(value)) == ""


DEFAULTS = {
    "rate_hz": 10.0,
    "max_rate_hz": 50.0,
    "top_k": 3,
    "unknown_threshold": -1.0,
    "muted_sensors": [],
    "freshness.min_timeout_s": 0.5,
    "freshness.stuck_after_s": 5.0,
}


def wrong_type(problem: str) -> str:
    return problem if HUMBLE else "Wrong parameter type, expected "


@pytest.mark.parametrize(
    "name, text, reason",
    [
        ("rate_hz", "0", "rate_hz: should be greater than 0, not 0.0"),
        ("rate_hz", "-1.5", "rate_hz"),
        ("rate_hz", "2000.0", "rate_hz"),
        ("rate_hz", "2000", "rate_hz"),
        ("rate_hz", "quick", wrong_type("rate_hz: should be a valid number, not 'quick'")),
        ("rate_hz", "true", wrong_type("rate_hz")),
        ("rate_hz", ".nan", "rate_hz"),
        ("max_rate_hz", "5", "max_rate_hz 5 is below rate_hz 10; raise it"),
        ("top_k", "0", "top_k"),
        ("top_k", "1.5", wrong_type("top_k")),
        ("top_k", "true", wrong_type("top_k")),
        ("unknown_threshold", "1.1", "unknown_threshold"),
        ("muted_sensors", "[Bad Name]", "muted_sensors"),
        ("muted_sensors", "3", wrong_type("muted_sensors: should be a list, e.g. [a, b], not 3")),
        ("muted_sensors", "[1, 2]", wrong_type("muted_sensors")),
        ("freshness.min_timeout_s", "0.0", "freshness.min_timeout_s"),
        ("freshness.hold_s", "forever", "freshness.hold_s: should be a mapping of keys to values"),
        ("freshness.hold_s", "{audio", "'{audio' is not like {audio: 1.5}"),
        ("bundle", "other", "'bundle' is read-only while configured; run first: ros2 lifecycle set /param"),
        ("frame_id", "map", "'frame_id' is read-only while configured"),
        ("autostart", "false", "read-only"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(robot: Robot, name: str, text: str, reason: str) -> None:
    before = robot.get("fusion", name)
    assert reason in robot.set("fusion", name, text)
    assert robot.get("fusion", name) == before


@pytest.mark.parametrize(
    "name, text, value",
    [
        ("rate_hz", "5", 5.0),
        ("top_k", "2.0", 2),
        ("muted_sensors", "[]", []),
        ("muted_sensors", "other", ["other"]),
        ("muted_sensors", "[other, another]", ["other", "another"]),
        ("muted_sensors", "''", []),
        ("unknown_threshold", "0", 0.0),
        ("unknown_threshold", "-1", -1.0),
        ("freshness.stuck_after_s", ".inf", math.inf),
        ("freshness.hold_s", "'{audio: 1.5}'", "{audio: 1.5}"),
    ],
)
def test_a_value_is_converted_to_the_type_of_its_parameter(
    robot: Robot, name: str, text: str, value: object
) -> None:
    before = robot.describe("fusion", name).type
    assert robot.set("fusion", name, text) == ""
    if HUMBLE:
        return
    stored = robot.get("fusion", name)
    assert (type(stored), stored) == (type(value), value)
    assert robot.describe("fusion", name).type == before


def test_an_encoder_holds_still_but_for_its_patience(robot: Robot) -> None:
    refused = robot.set("encoder_camera", "topic", "other")
    assert refused.endswith("run first: ros2 lifecycle set /parameters/encoder_camera cleanup")
    assert "read-only" in robot.set("encoder_camera", "sensor", "other")
    assert "driver_periods" in robot.set("encoder_camera", "driver_periods", "0.5")
    assert robot.set("encoder_camera", "driver_periods", "4") == ""
    assert robot.set("encoder_camera", "driver_timeout_s", ".inf") == ""
    assert robot.set("encoder_camera", "driver_timeout_s", "-1.0") == ""


def test_parameters_are_described(robot: Robot) -> None:
    rate = robot.describe("fusion", "rate_hz")
    assert rate.description == "minimum rate of recognitions, also when nothing changes"
    if not HUMBLE:
        assert rate.type == ParameterType.PARAMETER_DOUBLE
        assert robot.describe("fusion", "muted_sensors").type == ParameterType.PARAMETER_STRING_ARRAY
    assert robot.describe("fusion", "freshness.hold_s").type == ParameterType.PARAMETER_STRING
    assert rate.additional_constraints == "at any time"
    assert (rate.floating_point_range[0].from_value, rate.floating_point_range[0].to_value) == (0.0, 1000.0)
    top_k = robot.describe("fusion", "top_k")
    assert top_k.integer_range[0].from_value == 1
    assert robot.describe("fusion", "bundle").additional_constraints == "before the node is configured"
    backend = robot.describe("encoder_camera", "backend")
    assert backend.description.endswith("(auto, onnxruntime, tensorrt)")
    assert robot.describe("encoder_camera", "sensor").read_only


def test_top_k_is_how_many_labels_are_told(robot: Robot) -> None:
    for k in (1, 4):
        assert robot.set("fusion", "top_k", str(k)) == ""
        answer = robot.witness.next_answer(lambda message, k=k: len(message.results) == k)
        assert names(answer)[0] == LABELS[2]


def test_the_offered_deadline_follows_the_rate(robot: Robot) -> None:
    for rate, deadline_s in (("5", 0.4), ("40.0", 0.05)):
        assert robot.set("fusion", "rate_hz", rate) == ""
        for topic in ("omnibind/recognition", "omnibind/contributions"):
            wait_until(
                lambda topic=topic, deadline_s=deadline_s: (
                    [o.deadline for o in robot.offered(topic)] == [Duration(seconds=deadline_s)]
                ),
                f"the deadline of {topic} is {deadline_s} s",
            )
        robot.witness.next_answer(lambda message: bool(message.results))  # whoever listened still hears


def test_a_muted_sensor_has_no_share(robot: Robot) -> None:
    assert robot.set("fusion", "muted_sensors", "camera") == ""
    robot.witness.next_answer(lambda message: not message.results)
    muted = robot.fusion_reports("camera", lambda values: values["state"] == "muted")
    assert muted["level"] == "0"
    assert robot.set("fusion", "muted_sensors", "[]") == ""
    robot.witness.next_answer(lambda message: bool(message.results))


def test_below_the_threshold_the_answer_is_unknown_and_the_labels_say_so(robot: Robot) -> None:
    heard = robot.hear("omnibind/labels", "vision_msgs/msg/LabelInfo", DEEP_LATCHED)
    assert robot.set("fusion", "unknown_threshold", "1.0") == ""
    robot.witness.next_answer(lambda message: bool(message.results) and names(message)[0] == "unknown")
    wait_until(lambda: heard and heard[-1].threshold == 1.0, "labels with the new threshold")
    assert robot.set("fusion", "unknown_threshold", "-1.0") == ""
    robot.witness.next_answer(lambda message: bool(message.results) and names(message)[0] == LABELS[2])
    wait_until(lambda: heard[-1].threshold == pytest.approx(0.4), "labels with the bundle's threshold")


def test_how_long_an_embedding_counts_can_change_while_it_does(robot: Robot) -> None:
    assert robot.set("fusion", "freshness.min_timeout_s", "1000") == ""
    publisher = robot.embeddings("once")
    robot.wait_for_encoder("once")
    vector = np.eye(SPACE.dim, dtype=np.float32)[2]
    publisher.publish(encode_embedding(Embedding("once", "image", vector, time.time_ns(), SPACE.tag)))
    robot.witness.until("once", True)
    set_at = time.monotonic()
    assert robot.set("fusion", "freshness.min_timeout_s", "0.5") == ""
    robot.witness.until("once", False, set_at)
    robot.fusion_reports("once", lambda values: "stale: no new embedding" in values["message"])
    robot.node.destroy_publisher(publisher)


def test_an_encoder_can_learn_patience_with_its_driver(robot: Robot) -> None:
    camera = robot.camera("slow", 1)
    robot.encoder("slow", driver_timeout_s=1000.0)
    robot.witness.until("slow", True)
    camera.hangs.set()
    # Fusion alone notices: no withdrawal arrives.
    robot.fusion_reports("slow", lambda values: "stale: no new embedding" in values["message"])
    back = time.monotonic()
    camera.hangs.clear()
    robot.witness.until("slow", True, back)
    assert robot.set("encoder_slow", "driver_timeout_s", "0.3") == ""
    sent = int(robot.encoder_reports("slow", bool)["messages"])
    robot.encoder_reports("slow", lambda values: int(values["messages"]) > sent)
    camera.hangs.set()
    robot.fusion_reports("slow", lambda values: "no valid input" in values["message"])
    robot.encoder_reports("slow", lambda values: "driver is silent" in values["message"])


def test_a_change_of_state_is_told_at_once(bundle: Path) -> None:
    endless = {"diagnostic_updater.period": 1000.0}
    with Robot(bundle, "rarely", fusion=endless) as robot:
        camera = robot.camera("eye", 1)
        robot.encoder("eye", **endless)
        robot.fusion_reports("eye", lambda values: values["state"] == "live")
        robot.encoder_reports("eye", lambda values: values["state"] == "live")
        camera.end()
        robot.fusion_reports("eye", lambda values: values["state"] == "lost")
        robot.encoder_reports("eye", lambda values: values["state"] == "lost")
        assert robot.transition("encoder_eye", "deactivate")
        robot.encoder_reports("eye", lambda values: values["lifecycle"] == "inactive")


def test_what_is_wrong_is_told_and_put_right_one_by_one(robot: Robot, bundle: Path) -> None:
    nothing = {"modality": None, "topic": None, "bundle": bundle.parent / "missing"}
    encoder = robot.encoder("patient", **nothing)
    robot.camera("patient", 3)
    node = "encoder_patient"

    def refuses(reason: str) -> None:
        told = robot.encoder_reports("patient", lambda values: reason in values["message"])
        assert (told["level"], told["lifecycle"]) == ("2", "unconfigured")
        encoder.prints(f"cannot configure: {told['message'].removeprefix('cannot configure: ')}")

    refuses("parameter modality: must be given")
    steps = [
        ("modality", "smell", "parameter topic: must be given"),
        ("topic", "patient/raw", "missing: no bundle.yaml in this folder"),
        ("bundle", str(bundle), "'smell'"),
        ("modality", "image", ""),
        ("message_type", "std_msgs/msg/String", "does not read std_msgs/msg/String"),
        ("precision", "fp4", "fp4"),
    ]
    for name, text, reason in steps:
        assert robot.set(node, name, text) == ""
        if reason:
            if name == "precision":
                assert robot.set(node, "message_type", "auto") == ""
            assert not robot.transition(node, "configure")
            refuses(reason)
    assert "not a topic name" in robot.set(node, "topic", "no topic")
    assert robot.state(node) == "unconfigured"

    assert robot.set(node, "precision", "''") == ""
    assert robot.transition(node, "configure")
    assert robot.transition(node, "activate")
    robot.witness.until("patient", True)
    assert encoder.child.runs


def test_a_sensor_name_that_cannot_stand_in_a_topic_is_refused(robot: Robot, bundle: Path) -> None:
    wrong = {"sensor": "Front-Cam", "modality": "image", "topic": "x/raw", "bundle": bundle}
    encoder = robot.add(robot.process("encoder_node", wrong))
    name = robot.status_name("encoder", "Front-Cam")
    told = robot.witness.reports_text(name, "Front-Cam")
    assert told["level"] == "2"
    assert "cannot configure: parameter sensor: " in told["message"]
    encoder.prints(told["message"])
    assert robot.state("encoder") == "unconfigured"


def test_fusion_is_told_to_rest_and_to_go_on_with_another_bundle(bundle: Path) -> None:
    with Robot(bundle, "rest", fusion={"bundle": bundle.parent / "missing"}) as robot:
        robot.camera("eye", 2)
        robot.encoder("eye")
        name = robot.status_name("fusion", "recognition")
        assert robot.witness.reports_text(name, "no bundle.yaml in this folder")["level"] == "2"
        assert robot.set("fusion", "bundle", str(bundle)) == ""
        for _ in range(2):
            assert robot.transition("fusion", "configure")
            told = time.monotonic()
            assert robot.transition("fusion", "activate")
            robot.witness.until("eye", True, told)
            robot.witness.reports_text(name, "live: eye")
            assert robot.transition("fusion", "deactivate")
            robot.witness.reports_text(name, "the node is inactive")
            wait_until(lambda: not robot.offered("omnibind/recognition"), "nobody answers")
            assert robot.transition("fusion", "cleanup")
