"""Sensors come, go, die, sleep and are told to, while recognition goes on: real nodes on a real ROS 2.

Reaction times are printed (`pytest -s`); asserted is that things happen, and what they are.
"""

from __future__ import annotations

import signal
import time

import cv2
import numpy as np
import pytest
from audio_common_msgs.msg import AudioDataStamped
from omnibind_ros.transport.ros.types import TYPES
from rclpy.qos import qos_profile_sensor_data
from ros_robot import LATCHED, Robot, as_cdr, names
from sensor_msgs.msg import CompressedImage, Imu, PointCloud2
from std_msgs.msg import String
from tiny_bundle import LABELS, SPACE, picture, spoken
from transport_support import wait_until

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.embedding_cloud import encode_embedding
from omnibind_ros.modalities.audio.messages import audio_message
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.types import Embedding

COMPRESSED = "sensor_msgs/msg/CompressedImage"


def tell(what: str, seconds: float, target_ms: float) -> None:
    print(f"\n    {what}: {seconds * 1e3:.0f} ms (target {target_ms:.0f})", end="")


def test_a_sensor_joins_with_its_first_sample_and_leaves_when_stopped(robot: Robot) -> None:
    encoder = robot.encoder("camera")
    robot.wait_for_encoder("camera")
    assert robot.witness.live_now() == frozenset()
    robot.encoder_says("camera", lambda values: "waits for its driver on camera/raw" in values["message"])
    camera = robot.camera("camera", 2)
    wait_until(lambda: camera.first_published, "first picture")
    tell("first sample -> answer", robot.witness.until("camera", True, camera.first_published), 300)
    robot.witness.until_answer("camera", "two")

    stopped = encoder.send(signal.SIGTERM)
    tell("graceful stop", robot.witness.until("camera", False, stopped), 100)
    assert encoder.ended() == 0
    quiet = time.monotonic()
    answers = robot.witness.answers
    wait_until(lambda: sum(at > quiet for at, _ in answers) > 3, "fusion goes on saying that nobody is live")
    assert not any(said.results for at, said in answers if at > quiet)


def test_an_encoder_that_is_interrupted_twice_says_goodbye_before_it_leaves(robot: Robot) -> None:
    robot.camera("polite", 1)
    heard = robot.hear("omnibind/polite/embedding", PointCloud2, LATCHED)
    encoder = robot.encoder("polite")
    robot.witness.until("polite", True)
    # As when Ctrl-C reaches a launcher and its nodes, and the launcher passes it on.
    encoder.send(signal.SIGINT)
    encoder.send(signal.SIGINT)
    assert encoder.ended() == 0
    assert "Traceback" not in "".join(encoder.lines)
    robot.fusion_says("polite", lambda values: values["encoders"] == "0")
    wait_until(lambda: heard[-1].width == 0, "the last that is heard of it is a goodbye")


def test_a_killed_encoder_is_noticed_and_its_successor_is_no_twin(robot: Robot) -> None:
    robot.camera("victim", 3)
    encoder = robot.encoder("victim")
    robot.witness.until("victim", True)
    tell("SIGKILL", robot.witness.until("victim", False, encoder.send(signal.SIGKILL)), 500)
    robot.fusion_says("victim", lambda values: values["encoders"] == "0" and values["state"] == "lost")
    # The graph will know of the dead one for ten seconds more.
    again = time.monotonic()
    robot.encoder("victim")
    robot.witness.until("victim", True, again)
    robot.witness.until_answer("victim", "three")
    robot.fusion_says("victim", lambda values: values["encoders"] == "1" and values["state"] == "live")
    told = [values["message"] for name, values in robot.witness.reports if name == "fusion: victim"]
    assert not [message for message in told if "publish under this name" in message]


def test_a_stopped_encoder_goes_and_comes_back(robot: Robot) -> None:
    robot.camera("sleeper", 0)
    encoder = robot.encoder("sleeper")
    robot.witness.until("sleeper", True)
    tell("SIGSTOP", robot.witness.until("sleeper", False, encoder.send(signal.SIGSTOP)), 600)
    robot.witness.until("sleeper", True, encoder.send(signal.SIGCONT))


def test_the_encoder_tells_of_a_driver_that_hangs_or_goes(robot: Robot) -> None:
    camera = robot.camera("idle", 1)
    robot.encoder("idle")
    robot.witness.until("idle", True)

    hung = time.monotonic()
    camera.hangs.set()
    tell("driver hangs", robot.witness.until("idle", False, hung), 600)
    robot.encoder_says("idle", lambda values: "driver is silent" in values["message"])
    back = time.monotonic()
    camera.hangs.clear()
    robot.witness.until("idle", True, back)

    tell("driver goes", robot.witness.until("idle", False, camera.end()), 100)
    robot.fusion_says("idle", lambda values: "no valid input" in values["message"])
    robot.encoder_says("idle", lambda values: "waits for its driver" in values["message"])
    back = time.monotonic()
    robot.camera("idle", 2)
    robot.witness.until("idle", True, back)


def test_an_encoder_goes_through_its_life_as_it_is_told(robot: Robot) -> None:
    robot.camera("told", 2)
    encoder = robot.encoder("told", autostart=False)
    node, topic = "encoder_told", "omnibind/told/embedding"
    status = robot.encoder_says("told", lambda values: "unconfigured" in values["message"])
    assert status["level"] == "1"
    assert robot.state(node) == "unconfigured"
    assert not robot.transition(node, "activate")

    assert robot.transition(node, "configure")
    assert robot.state(node) == "inactive"
    robot.encoder_says("told", lambda values: "the node is inactive" in values["message"])
    assert robot.node.count_publishers(topic) == 0

    for _ in range(2):
        told = time.monotonic()
        assert robot.transition(node, "activate")
        robot.witness.until("told", True, told)
        told = time.monotonic()
        assert robot.transition(node, "deactivate")
        tell("deactivate", robot.witness.until("told", False, told), 100)
        wait_until(lambda: robot.node.count_publishers(topic) == 0, "an inactive encoder has no publisher")
        assert robot.transition(node, "cleanup")
        assert robot.transition(node, "configure")

    told = time.monotonic()
    assert robot.transition(node, "activate")
    robot.witness.until("told", True, told)
    told = time.monotonic()
    assert robot.transition(node, "shutdown")
    robot.witness.until("told", False, told)
    assert robot.state(node) == "finalized"
    encoder.send(signal.SIGTERM)
    assert encoder.ended() == 0


def test_two_sensors_of_one_modality_have_each_a_share(robot: Robot) -> None:
    robot.camera("left", 1)
    robot.camera("right", 1)
    robot.encoder("left")
    robot.encoder("right")
    wait_until(lambda: robot.witness.live_now() == {"left", "right"}, "both have a share")
    _, shares = robot.witness.shares[-1]
    assert sum(result.score for result in shares.results) == pytest.approx(1.0)
    robot.witness.until_answer("left", "one")
    for sensor in ("left", "right"):
        robot.fusion_says(sensor, lambda values: (values["modality"], values["state"]) == ("image", "live"))


def test_two_encoders_of_one_name_are_warned_of(robot: Robot) -> None:
    robot.camera("twin", 1)
    robot.encoder("twin")
    other = robot.encoder("twin")
    warned = robot.fusion_says("twin", lambda values: values["encoders"] == "2")
    assert "2 encoders publish under this name" in warned["message"]
    assert warned["level"] == "1"
    other.send(signal.SIGTERM)
    robot.wait_for_encoder("twin")
    assert "publish under this name" not in robot.fusion_says("twin", bool)["message"]


def test_a_foreign_best_effort_encoder_without_a_lease_takes_part(robot: Robot) -> None:
    publisher = robot.embeddings("foreign", qos_profile_sensor_data)
    robot.wait_for_encoder("foreign")
    wait_until(publisher.get_subscription_count, "fusion listens")
    vector = np.eye(SPACE.dim, dtype=np.float32)[3]
    embedding = Embedding("foreign", "radar", vector, time.time_ns(), SPACE.tag)
    publisher.publish(encode_embedding(TYPES, embedding))
    robot.witness.until("foreign", True)
    assert robot.witness.answer_from("foreign") == "three"
    left = time.monotonic()
    robot.node.destroy_publisher(publisher)
    robot.witness.until("foreign", False, left)


def test_whatever_type_the_driver_publishes_is_read(robot: Robot) -> None:
    rng = np.random.default_rng(0)
    robot.encoder("any")
    robot.wait_for_encoder("any")

    wrong = robot.node.create_publisher(Imu, "any/raw", qos_profile_sensor_data)
    said = robot.encoder_says("any", lambda values: "carries sensor_msgs/msg/Imu" in values["message"])
    assert "reads sensor_msgs/msg/Image or sensor_msgs/msg/CompressedImage" in said["message"]
    assert said["level"] == "2"
    robot.node.destroy_publisher(wrong)

    def jpeg(stamp: int) -> bytes:
        header = image_message(picture(3, rng), stamp).header
        data = cv2.imencode(".jpg", picture(3, rng))[1].reshape(-1)
        return as_cdr(message_class(COMPRESSED)(header=header, format="jpeg", data=data))

    compressed = robot.driver("any", CompressedImage, jpeg)
    robot.witness.until("any", True)
    robot.witness.until_answer("any", "three")
    left = compressed.end()
    robot.witness.until("any", False, left)
    back = time.monotonic()
    robot.camera("any", 1)
    robot.witness.until("any", True, back)
    robot.witness.until_answer("any", "one")


def test_a_microphone_is_understood(robot: Robot) -> None:
    rng = np.random.default_rng(0)
    word = np.concatenate([np.zeros(8000, np.float32), spoken(2, 16000)])
    chunks = iter(np.resize(word, (20_000, 800)))

    def chunk(stamp: int) -> bytes:
        noise = 0.0003 * rng.standard_normal(800).astype(np.float32)
        return as_cdr(audio_message(next(chunks) + noise, stamp))

    robot.driver("ear", AudioDataStamped, chunk)
    robot.encoder("ear", "audio")
    robot.witness.until("ear", True)
    robot.witness.until_answer("ear", "two")


def test_a_text_stays_said_when_its_speaker_leaves(robot: Robot) -> None:
    robot.encoder("keyboard", "text")
    robot.wait_for_encoder("keyboard")
    speaker = robot.driver("keyboard", String, lambda stamp: String(data="two"))
    robot.witness.until("keyboard", True)
    speaker.end()
    robot.encoder_says("keyboard", lambda values: "waits for its driver" in values["message"])
    said = robot.witness.next_answer(lambda message: bool(message.results))
    assert names(said)[0] == LABELS[2]
    assert "keyboard" in robot.witness.live_now()
