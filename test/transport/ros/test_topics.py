"""The planner's contract: which topics there are, how they are offered, and whose they are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    LivelinessPolicy,
    ReliabilityPolicy,
    qos_profile_sensor_data,
)
from robot import DEEP_LATCHED, names
from ros_robot import Robot
from sensor_msgs.msg import PointCloud2
from tiny_bundle import LABELS, SPACE
from transport_support import wait_until
from vision_msgs.msg import Classification, LabelInfo

from omnibind_ros.messages.embedding_cloud import decode_embedding
from omnibind_ros.messages.label_info import decode_label_info
from omnibind_ros.messages.stamps import stamp_of


def test_topics_are_offered_as_promised(robot: Robot) -> None:
    robot.encoder("offered")
    robot.wait_for_encoder("offered")
    latched = ("omnibind/labels", "omnibind/fused_embedding", "omnibind/offered/embedding")
    answers = ("omnibind/recognition", "omnibind/contributions")
    for topic in (*latched, *answers):
        (offer,) = wait_until(lambda topic=topic: robot.offered(topic), f"a publisher of {topic}")
        assert offer.reliability == ReliabilityPolicy.RELIABLE, topic
        assert (offer.durability == DurabilityPolicy.TRANSIENT_LOCAL) == (topic in latched), topic
        if topic in answers:
            assert offer.deadline == Duration(seconds=2 / 10)
        if topic.endswith("embedding"):
            assert offer.liveliness == LivelinessPolicy.AUTOMATIC
            assert offer.liveliness_lease_duration == Duration(seconds=0.3)


def test_an_answer_and_its_shares_have_the_stamp_of_the_sample(robot: Robot) -> None:
    embeddings = robot.hear("omnibind/stamped/embedding", PointCloud2, LATCHED)
    fused = robot.hear("omnibind/fused_embedding", PointCloud2, LATCHED)
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
    assert {sample.space for sample in samples if sample} == {SPACE.tag}
    wait_until(lambda: stamp_of(answer) in {stamp_of(message) for message in fused}, "the fused point of it")


def test_who_comes_late_gets_what_was_said_once(robot: Robot) -> None:
    robot.camera("early", 2)
    robot.encoder("early")
    robot.witness.until("early", True)
    robot.set("encoder_early", "driver_timeout_s", ".inf")  # so that no goodbye follows
    labels = robot.hear("omnibind/labels", LabelInfo, LATCHED)
    known, threshold = decode_label_info(wait_until(lambda: labels, "the labels")[0])
    assert known == LABELS
    assert threshold == pytest.approx(0.4)
    for topic in ("omnibind/early/embedding", "omnibind/fused_embedding"):
        latched = robot.hear(topic, PointCloud2, LATCHED)
        assert wait_until(lambda latched=latched: latched, f"the newest of {topic}")[0].width == 1


def test_nobody_live_is_said_again_and_again(robot: Robot) -> None:
    begun = time.monotonic()
    answers, shares = robot.witness.answers, robot.witness.shares
    wait_until(lambda: sum(at > begun for at, _ in answers) > 5, "empty answers")
    wait_until(lambda: sum(at > begun for at, _ in shares) > 5, "empty shares")
    assert not any(message.results for at, message in [*answers, *shares] if at > begun)


def test_two_robots_do_not_hear_each_other(robot: Robot, own_robot: Robot) -> None:
    for one, label in ((robot, 1), (own_robot, 2)):
        one.camera("face", label)
        one.encoder("face")
        one.witness.until_answer("face", LABELS[label])
    own_robot.camera("back", 2)
    own_robot.encoder("back")
    own_robot.witness.until("back", True)
    heard = [message for _, message in [*robot.witness.answers, *robot.witness.shares]]
    assert "back" not in {name for message in heard for name in names(message)}
    assert names(robot.witness.next_answer(lambda message: bool(message.results)))[0] == LABELS[1]

    # /diagnostics is one topic for all of them.
    space = own_robot.transport.namespace
    robot.witness.report(f"{space}/fusion: back", lambda values: values["state"] == "live")
    robot.witness.report(f"{space}/encoder_back: back", lambda values: values["state"] == "live")
    robot.witness.report("fusion: face", lambda values: values["state"] == "live")
    assert "fusion: back" not in {name for name, _ in robot.witness.reports}
    assert own_robot.state("fusion") == robot.state("fusion") == "active"


def test_quality_of_service_can_be_overridden(bundle: Path) -> None:
    given = {"qos_overrides./over/omnibind/recognition.publisher.reliability": "best_effort"}
    with Robot(bundle, "over", fusion=given) as robot:
        offers = wait_until(lambda: robot.offered("omnibind/recognition"), "a publisher")
        assert [offer.reliability for offer in offers] == [ReliabilityPolicy.BEST_EFFORT]
        # The publisher is made anew with another deadline, and remembers.
        assert robot.set("fusion", "rate_hz", "4.0") == ""
        half_second = Duration(seconds=0.5)
        new = lambda: [o for o in robot.offered("omnibind/recognition") if o.deadline == half_second]  # noqa: E731
        (offer,) = wait_until(new, "the new publisher")
        assert offer.reliability == ReliabilityPolicy.BEST_EFFORT
        heard = robot.hear("omnibind/recognition", Classification, qos_profile_sensor_data)
        wait_until(lambda: heard, "it can be heard")
