"""The fusion process over each transport, with encoders and whatever else publishes embeddings."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import Graph
from local_robot import LocalRobot
from robot import CLOUD, DEEP_LATCHED, names
from tiny_bundle import LABELS, SPACE, write_tiny_bundle
from transport_support import GENEROUS_S, wait_until

from omnibind_ros.fusion import process
from omnibind_ros.messages.embedding_cloud import decode_embedding, encode_embedding
from omnibind_ros.messages.stamps import stamp_of
from omnibind_ros.modalities.point_cloud.messages import cloud_message
from omnibind_ros.modalities.text.messages import text_message
from omnibind_ros.transport.qos import LATCHED, SENSOR_DATA
from omnibind_ros.types import Embedding

LABEL_INFO = "vision_msgs/msg/LabelInfo"
PATIENT = {"min_timeout_s": 1000.0}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def robot(graph: Graph, bundle: Path) -> Iterator[LocalRobot]:
    robot = LocalRobot(graph, bundle)
    yield robot
    robot.tidy()


def embedding(sensor: str, vector: np.ndarray, space: int = SPACE.tag) -> Any:
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return encode_embedding(Embedding(sensor, "image", unit, time.time_ns(), space))


# -------- encoders


def test_two_sensors_of_one_modality_have_each_a_share(robot: LocalRobot) -> None:
    for sensor in ("left", "right"):
        robot.camera(sensor, 1)
        robot.encoder(sensor)
    wait_until(lambda: robot.witness.live_now() == {"left", "right"}, "both have a share")
    _, shares = robot.witness.shares[-1]
    assert sum(result.score for result in shares.results) == pytest.approx(1.0)
    robot.witness.until_answer("left", LABELS[1])
    for sensor in ("left", "right"):
        told = robot.fusion_reports(sensor, lambda values: values["state"] == "live")
        assert told["modality"] == "image"


def test_an_answer_and_its_shares_have_the_stamp_of_the_sample(robot: LocalRobot) -> None:
    embeddings = robot.hear("omnibind/stamped/embedding", CLOUD, DEEP_LATCHED)
    fused = robot.hear("omnibind/fused_embedding", CLOUD, DEEP_LATCHED)
    robot.camera("stamped", 1)
    robot.encoder("stamped")
    robot.witness.until_answer("stamped", LABELS[1])
    answer = robot.witness.next_answer(lambda message: bool(message.results))
    assert names(answer)[0] == LABELS[1]
    assert [r.score for r in answer.results] == sorted((r.score for r in answer.results), reverse=True)
    assert answer.header.frame_id == "base_link"
    samples = [decode_embedding(message, "stamped") for message in list(embeddings)]
    assert stamp_of(answer) in {sample.stamp for sample in samples if sample}
    assert {sample.frame_id for sample in samples if sample} == {"camera_frame"}
    wait_until(lambda: stamp_of(answer) in {stamp_of(message) for message in fused}, "the fused point of it")


def test_two_encoders_of_one_name_are_warned_of(robot: LocalRobot) -> None:
    robot.camera("twin", 1)
    robot.encoder("twin")
    other = robot.encoder("twin")
    warned = robot.fusion_reports("twin", lambda values: values["encoders"] == "2")
    assert "2 encoders publish under this name" in warned["message"]
    assert warned["level"] == "1"
    other.stop()
    robot.wait_for_encoder("twin")
    assert "publish under this name" not in robot.fusion_reports("twin", bool)["message"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_a_killed_or_stopped_encoder_is_noticed(robot: LocalRobot, number: int) -> None:
    victim = robot.graph.process("embed", "victim", str(SPACE.tag), 3)
    pid = victim.next()
    robot.witness.until("victim", True)
    ended = time.monotonic()
    os.kill(pid, number)
    took = robot.witness.until("victim", False, ended)
    print(f"\n    {robot.graph.middleware.name}: {signal.Signals(number).name}: {took * 1e3:.0f} ms", end="")
    if number == signal.SIGSTOP:
        os.kill(pid, signal.SIGCONT)
    else:
        robot.fusion_reports("victim", lambda values: (values["encoders"], values["state"]) == ("0", "lost"))
        robot.graph.process("embed", "victim", str(SPACE.tag), 3).next()
    robot.witness.until("victim", True, ended + took)
    robot.fusion_reports("victim", lambda values: (values["encoders"], values["state"]) == ("1", "live"))
    reports = [values["message"] for name, values in robot.witness.reports if name == "fusion: victim"]
    assert not [message for message in reports if "publish under this name" in message]


def test_a_best_effort_encoder_without_a_lease_takes_part(robot: LocalRobot) -> None:
    publisher = robot.embeddings("foreign", SENSOR_DATA)
    robot.wait_for_encoder("foreign")
    assert publisher.wait_for_subscriber()
    publisher.publish(embedding("foreign", np.eye(SPACE.dim)[3]))
    robot.witness.until("foreign", True)
    assert robot.witness.answer_from("foreign") == LABELS[3]
    left = time.monotonic()
    publisher.close()
    robot.witness.until("foreign", False, left)


BAD_EMBEDDINGS: dict[str, tuple[Callable[[], Any], str]] = {
    "short": (lambda: embedding("short", np.ones(5)), "shape (5,)"),
    "alien": (lambda: embedding("alien", np.ones(8), space=7), "lives in space 0x00000007"),
    "broken": (lambda: embedding("broken", np.full(8, np.nan)), "not finite"),
    "cloud": (lambda: cloud_message(np.ones((3, 3), np.float32), time.time_ns()), "3 points"),
    "mixed": (
        lambda: text_message("hello"),
        "carries std_msgs/msg/String, not sensor_msgs/msg/PointCloud2",
    ),
    "garbage": (lambda: b"\0\1\0\0?", "are not a sensor_msgs/msg/PointCloud2"),
}


def test_embeddings_that_do_not_fit_are_counted_and_the_others_go_on(robot: LocalRobot) -> None:
    robot.camera("honest", 1)
    robot.encoder("honest")
    robot.witness.until("honest", True)
    for sensor, (make, _) in BAD_EMBEDDINGS.items():
        message = make()
        if isinstance(message, bytes):
            robot.embeddings(sensor).publish_cdr(message)
        else:
            robot.embeddings(sensor, type_name=message.__msgtype__).publish(message)
    for sensor, (_, reason) in BAD_EMBEDDINGS.items():
        told = robot.fusion_reports(sensor, lambda values, reason=reason: reason in values["message"])
        assert (told["state"], told["rejected"], told["level"]) == ("faulty", "1", "2")
    wait_until(lambda: robot.witness.live_now() == {"honest"}, "the good one goes on")


# -------- who comes late, and other robots


def test_who_comes_late_gets_the_newest(robot: LocalRobot) -> None:
    robot.camera("early", 2)
    robot.encoder("early", driver_timeout_s=1000.0)
    robot.witness.until("early", True)
    heard = robot.hear("omnibind/labels", LABEL_INFO, LATCHED)
    labels = wait_until(lambda: heard, "the labels")
    assert [entry.class_name for entry in labels[0].class_map] == list(LABELS)
    assert labels[0].threshold == pytest.approx(0.4)
    for topic in ("omnibind/early/embedding", "omnibind/fused_embedding"):
        latched = robot.hear(topic, CLOUD, LATCHED)
        assert wait_until(lambda latched=latched: latched, f"the newest of {topic}")[0].width == 1


def test_health_is_published_for_latecomers_and_at_once_on_a_change(robot: LocalRobot) -> None:
    publisher = robot.embeddings("once")
    robot.wait_for_encoder("once")
    publisher.publish(embedding("once", np.eye(SPACE.dim)[2]))
    robot.witness.until("once", True)
    heard = robot.hear("omnibind/health", "vision_msgs/msg/Classification", LATCHED)
    health = wait_until(lambda: heard, "the health of the sensors")[0]
    assert [(r.class_id, r.score > 0.9) for r in health.results] == [("once", True)]
    publisher.publish(embedding("once", np.full(SPACE.dim, np.nan)))
    wait_until(lambda: heard[-1].results and heard[-1].results[0].score == 0, "that it is faulty")


def test_that_no_sensor_is_live_is_repeated(robot: LocalRobot) -> None:
    witness = robot.witness
    wait_until(lambda: len(witness.answers) > 5 and len(witness.shares) > 5, "empty answers and shares")
    assert not any(message.results for _, message in [*witness.answers, *witness.shares])


def test_a_robot_is_a_namespace(graph: Graph, robot: LocalRobot, bundle: Path) -> None:
    other = LocalRobot(graph, bundle, "/other")
    for one, label in ((robot, 1), (other, 2)):
        one.camera("face", label)
        one.encoder("face")
        one.witness.until_answer("face", LABELS[label])
    other.camera("back", 2)
    other.encoder("back")
    other.witness.until("back", True)
    heard = [message for _, message in [*robot.witness.answers, *robot.witness.shares]]
    assert "back" not in {name for message in heard for name in names(message)}
    # /diagnostics is one topic for all of them.
    robot.witness.report("other/fusion: back", lambda values: values["state"] == "live")
    robot.witness.report("other/encoder_back: back", lambda values: values["state"] == "live")
    robot.witness.report("fusion: face", lambda values: values["state"] == "live")
    assert "fusion: back" not in {name for name, _ in robot.witness.reports}
    other.tidy()


# -------- start, stop and changes


def test_a_second_fusion_is_warned_of(robot: LocalRobot) -> None:
    second = robot.another_fusion()
    warned = robot.fusion_reports("recognition", lambda values: "2 processes publish" in values["message"])
    assert warned["level"] == "1"
    second.stop()
    robot.fusion_reports("recognition", lambda values: "processes" not in values["message"])


@pytest.fixture
def steady(robot: LocalRobot, monkeypatch: pytest.MonkeyPatch) -> LocalRobot:
    """A robot with a live sensor, which a slow machine does not make stale."""
    monkeypatch.setattr(process, "_SETTLING_S", GENEROUS_S)
    robot.fusion.close()
    robot.fusion = robot.another_fusion(freshness=PATIENT)
    robot.camera("steady", 2)
    robot.encoder("steady", driver_timeout_s=1000.0)
    robot.witness.until("steady", True)
    return robot


def test_it_starts_again_without_a_false_report_that_no_sensor_is_live(steady: LocalRobot) -> None:
    robot = steady
    for _ in range(3):
        robot.fusion.stop()
        robot.fusion.stop()
        wait_until(
            lambda: robot.fusion.reports()[0].message == "no live sensor", "all encoders count as gone"
        )
        begun = len(robot.witness.answers)
        robot.fusion.start()
        wait_until(lambda begun=begun: len(robot.witness.answers) > begun + 3, "answers")
        assert all(message.results for _, message in robot.witness.answers[begun:])


def test_a_fusion_that_takes_over_reports_no_false_absence_either(steady: LocalRobot) -> None:
    robot = steady
    robot.fusion.close()
    begun = len(robot.witness.answers)
    robot.another_fusion(freshness=PATIENT)
    wait_until(lambda: len(robot.witness.answers) > begun + 3, "answers")
    assert all(message.results for _, message in robot.witness.answers[begun:])


def test_settings_change_while_it_runs(robot: LocalRobot) -> None:
    labels = robot.hear("omnibind/labels", LABEL_INFO, LATCHED)
    robot.camera("eye", 2)
    robot.encoder("eye")
    robot.witness.until("eye", True)

    def apply(**changes: object) -> None:
        robot.fusion.apply(robot.fusion.settings.model_validate({**before, **changes}))

    before = robot.fusion.settings.model_dump()
    apply(top_k=1)
    robot.witness.next_answer(lambda message: len(message.results) == 1)
    apply(rate_hz=40.0, frame_id="other")
    assert robot.fusion.settings.frame_id == "base_link"
    robot.witness.next_answer(lambda message: bool(message.results))  # subscribers are not lost
    apply(muted_sensors=["eye"])
    robot.witness.next_answer(lambda message: not message.results)
    assert robot.fusion_reports("eye", lambda values: values["state"] == "muted")["level"] == "0"
    apply(unknown_threshold=1.0)
    robot.witness.next_answer(lambda message: names(message)[:1] == ["unknown"])
    wait_until(lambda: labels[-1].threshold == 1.0, "labels with the new threshold")
    apply()
    robot.witness.next_answer(lambda message: names(message)[:1] == [LABELS[2]])
    wait_until(lambda: labels[-1].threshold == pytest.approx(0.4), "labels with the bundle's threshold")


def test_how_long_an_embedding_counts_can_change_while_it_does(robot: LocalRobot) -> None:
    def patience(seconds: float) -> None:
        settings = robot.fusion.settings
        freshness = settings.freshness.model_copy(update={"min_timeout_s": seconds})
        robot.fusion.apply(settings.model_copy(update={"freshness": freshness}))

    patience(1000.0)
    publisher = robot.embeddings("once")
    robot.wait_for_encoder("once")
    publisher.publish(embedding("once", np.eye(SPACE.dim)[2]))
    robot.witness.until("once", True)
    changed = time.monotonic()
    patience(0.5)
    robot.witness.until("once", False, changed)
    robot.fusion_reports("once", lambda values: "stale: no new embedding" in values["message"])
