"""Messages that cannot be used: counted, told of in diagnostics, and nobody else suffers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from omnibind_ros.transport.ros.types import TYPES
from ros_robot import Robot, as_cdr
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import String
from tiny_bundle import SPACE, picture, spoken
from transport_support import wait_until

from omnibind_ros.messages.embedding_cloud import encode_embedding
from omnibind_ros.modalities.audio.messages import audio_message
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.modalities.point_cloud.messages import cloud_message
from omnibind_ros.types import Embedding


def test_bad_pictures_are_counted_and_the_next_good_one_is_seen(robot: Robot) -> None:
    camera = robot.camera("rough", 2)
    encoder = robot.encoder("rough")
    robot.witness.until("rough", True)
    camera.hangs.set()
    robot.encoder_says("rough", lambda values: "driver is silent" in values["message"])
    good = image_message(picture(2, np.random.default_rng(0)), time.time_ns())
    faults = {"data": good.data[:100], "step": 3, "encoding": "rgb9", "width": 0}
    for count, (field, value) in enumerate(faults.items(), start=1):
        camera.publisher.publish(as_cdr(replace(good, **{field: value})))
        # Each is to be counted before the next is sent, which would take its place.
        told = robot.encoder_says("rough", lambda values, count=count: values["rejected"] == str(count))
        assert (told["state"], told["level"]) == ("faulty", "2")
    back = time.monotonic()
    camera.hangs.clear()
    robot.witness.until("rough", True, back)
    assert encoder.child.runs
    encoder.says("rough: message dropped")


def test_a_clock_far_off_is_told_of_and_does_not_matter(robot: Robot) -> None:
    robot.camera("late", 1, clock=lambda: time.time_ns() - 3600 * 10**9)
    encoder = robot.encoder("late")
    robot.witness.until("late", True)
    robot.encoder_says("late", lambda values: float(values["stamp_offset_s"]) == pytest.approx(-3600, abs=30))
    encoder.says("set the driver's clock")


def foreign(vector: np.ndarray, space: int = SPACE.tag) -> Any:
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return encode_embedding(TYPES, Embedding("foreign", "image", unit, time.time_ns(), space))


BAD_EMBEDDINGS: dict[str, tuple[Callable[[], Any], str]] = {
    "short": (lambda: foreign(np.ones(5)), "shape (5,)"),
    "alien": (lambda: foreign(np.ones(8), space=7), "lives in space 0x00000007"),
    "broken": (lambda: foreign(np.full(8, np.nan)), "not finite"),
    "cloud": (lambda: as_cdr(cloud_message(np.ones((3, 3), np.float32), time.time_ns())), "3 points"),
    "mixed": (lambda: String(data="hello"), "publishes std_msgs/msg/String, not sensor_msgs/msg/PointCloud2"),
}


def test_embeddings_that_do_not_fit_are_counted_and_the_others_go_on(robot: Robot) -> None:
    robot.camera("honest", 1)
    robot.encoder("honest")
    robot.witness.until("honest", True)
    publishers = {}
    for sensor, (make, _) in BAD_EMBEDDINGS.items():
        message = make()
        kind = PointCloud2 if isinstance(message, bytes) else type(message)
        publishers[sensor] = robot.embeddings(sensor, message_class=kind)
        publishers[sensor].publish(message)
    for sensor, (_, reason) in BAD_EMBEDDINGS.items():
        told = robot.fusion_says(sensor, lambda values, reason=reason: reason in values["message"])
        assert (told["state"], told["rejected"], told["level"]) == ("faulty", "1", "2")
    assert robot.witness.live_now() == {"honest"}
    for publisher in publishers.values():
        robot.node.destroy_publisher(publisher)
    assert robot.fusion.child.runs


def test_a_stream_loses_no_chunk(robot: Robot) -> None:
    rng = np.random.default_rng(0)
    word = np.concatenate([np.zeros(8000, np.float32), spoken(2, 16000)])
    chunks = np.resize(word, (200, 800))
    robot.encoder("mic", "audio", queue_depth=len(chunks))
    publisher = robot.node.create_publisher(
        TYPES["audio_common_msgs/msg/AudioDataStamped"], "mic/raw", len(chunks)
    )
    robot.wait_for_encoder("mic")
    wait_until(publisher.get_subscription_count, "the encoder listens")
    for chunk in chunks:
        noise = 0.0003 * rng.standard_normal(800).astype(np.float32)
        publisher.publish(as_cdr(audio_message(chunk + noise, time.time_ns())))
    told = robot.encoder_says("mic", lambda values: values["messages"] == str(len(chunks)))
    assert (told["dropped"], told["lost"], told["lost_in_gaps"]) == ("0", "0", "0")
    assert int(told["embeddings"]) > 0
    robot.node.destroy_publisher(publisher)


def test_a_type_that_was_not_asked_for_is_not_read(robot: Robot) -> None:
    robot.encoder("strict", message_type="sensor_msgs/msg/CompressedImage")
    robot.wait_for_encoder("strict")
    robot.camera("strict", 1)
    told = robot.encoder_says("strict", lambda values: "carries sensor_msgs/msg/Image" in values["message"])
    assert told["message"].endswith("this encoder reads sensor_msgs/msg/CompressedImage")
    assert "strict" not in robot.witness.live_now()
