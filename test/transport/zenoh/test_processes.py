"""Sensors come, go, die and lie while recognition goes on: real fusion and encoder processes.

Reaction times are printed (`pytest -s`); asserted is that things happen, and what they are.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from robot_support import Robot
from tiny_bundle import LABELS, SPACE, picture, spoken, write_tiny_bundle
from transport_support import free_port, wait_until

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.embedding_cloud import encode_embedding
from omnibind_ros.modalities.audio.messages import audio_message
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.modalities.point_cloud.messages import cloud_message
from omnibind_ros.modalities.text.messages import text_message
from omnibind_ros.transport.qos import EMBEDDING, LATCHED, SENSOR_DATA
from omnibind_ros.types import Embedding

IMAGE = "sensor_msgs/msg/Image"
CLOUD = "sensor_msgs/msg/PointCloud2"


@pytest.fixture(scope="module")
def shared_robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Robot]:
    robot = Robot(write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny"), free_port())
    yield robot
    robot.close()


@pytest.fixture
def robot(shared_robot: Robot) -> Iterator[Robot]:
    yield shared_robot
    shared_robot.tidy()
    wait_until(lambda: not shared_robot.witness.live_now(), "nobody live after the test")


def tell(what: str, seconds: float, target_ms: float) -> None:
    print(f"\n    {what}: {seconds * 1e3:.0f} ms (target {target_ms:.0f})", end="")


def test_a_sensor_joins_with_its_first_sample_and_leaves_when_stopped(robot: Robot) -> None:
    encoder = robot.encoder("camera")
    robot.wait_for_encoder("camera")
    assert robot.witness.live_now() == frozenset()
    camera = robot.camera("camera", 2)
    wait_until(lambda: camera.first_published, "first picture")
    tell("first sample -> answer", robot.witness.until("camera", True, camera.first_published), 300)
    wait_until(lambda: robot.witness.answer_from("camera") == "two", "the right answer")

    stopped = encoder.send(signal.SIGTERM)
    tell("graceful stop", robot.witness.until("camera", False, stopped), 100)
    status, output = encoder.ended()
    assert (status, output) == (0, "")
    quiet = time.monotonic()
    wait_until(lambda: len(robot.witness.answers(quiet)) > 3, "fusion goes on saying that nobody is live")
    assert set(robot.witness.answers(quiet)) == {None}


def test_an_encoder_starts_quickly_beside_a_running_driver(robot: Robot) -> None:
    robot.camera("quick", 1)
    started = time.monotonic()
    robot.encoder("quick")
    tell("exec -> answer", robot.witness.until("quick", True, started), 1500)


def test_a_killed_encoder_is_noticed_and_its_successor_joins(robot: Robot) -> None:
    robot.camera("victim", 3)
    killed = robot.encoder("victim").send
    robot.witness.until("victim", True, 0.0)
    tell("SIGKILL", robot.witness.until("victim", False, killed(signal.SIGKILL)), 500)
    again = time.monotonic()
    robot.encoder("victim")
    robot.witness.until("victim", True, again)
    assert robot.witness.answer_from("victim") == "three"


def test_a_stopped_encoder_goes_stale_and_comes_back(robot: Robot) -> None:
    robot.camera("sleeper", 0)
    encoder = robot.encoder("sleeper")
    robot.witness.until("sleeper", True, 0.0)
    time.sleep(0.5)  # some embeddings more, so that its period is known
    tell("SIGSTOP", robot.witness.until("sleeper", False, encoder.send(signal.SIGSTOP)), 600)
    robot.witness.until("sleeper", True, encoder.send(signal.SIGCONT))


def test_the_encoder_tells_of_a_driver_that_hangs_or_goes(robot: Robot) -> None:
    camera = robot.camera("idle", 1)
    robot.encoder("idle")
    robot.witness.until("idle", True, 0.0)

    hung = time.monotonic()
    camera.hangs.set()
    tell("driver hangs", robot.witness.until("idle", False, hung), 600)
    robot.witness.report("encoder_idle: idle", lambda values: "driver is silent" in values["message"])
    back = time.monotonic()
    camera.hangs.clear()
    robot.witness.until("idle", True, back)

    tell("driver goes", robot.witness.until("idle", False, camera.close()), 100)
    robot.witness.report("fusion: idle", lambda values: "no valid input" in values["message"])
    robot.witness.report("encoder_idle: idle", lambda values: "waits for a driver" in values["message"])
    back = time.monotonic()
    robot.camera("idle", 2)
    robot.witness.until("idle", True, back)


def test_whatever_type_the_driver_publishes_is_read(robot: Robot) -> None:
    rng = np.random.default_rng(0)
    robot.encoder("any")
    robot.wait_for_encoder("any")

    wrong = robot.node.publisher("any/raw", "sensor_msgs/msg/Imu", SENSOR_DATA)
    robot.witness.report(
        "encoder_any: any", lambda values: "carries sensor_msgs/msg/Imu" in values["message"]
    )
    wrong.close()

    def jpeg(stamp: int) -> object:
        header = image_message(picture(3, rng), stamp).header
        data = cv2.imencode(".jpg", picture(3, rng))[1].reshape(-1)
        return message_class("sensor_msgs/msg/CompressedImage")(header=header, format="jpeg", data=data)

    compressed = robot.driver("any", "sensor_msgs/msg/CompressedImage", jpeg)
    robot.witness.until("any", True, 0.0)
    wait_until(lambda: robot.witness.answer_from("any") == "three", "the answer of jpegs")
    left = compressed.close()
    robot.witness.until("any", False, left)
    robot.camera("any", 1)
    robot.witness.until("any", True, left)
    wait_until(lambda: robot.witness.answer_from("any") == "one", "the answer of pictures")


def test_a_microphone_is_a_stream_without_gaps(robot: Robot) -> None:
    rng = np.random.default_rng(0)
    word = np.concatenate([np.zeros(8000, np.float32), spoken(2, 16000)])
    noise = lambda: 0.0003 * rng.standard_normal(800).astype(np.float32)  # noqa: E731
    chunks = iter(np.resize(word, (20_000, 800)))

    def chunk(stamp: int) -> object:
        return audio_message(next(chunks) + noise(), stamp)

    robot.driver("mic", "audio_common_msgs/msg/AudioDataStamped", chunk)
    robot.encoder("mic", modality="audio")
    robot.witness.until("mic", True, 0.0)
    wait_until(lambda: robot.witness.answer_from("mic") == "two", "the tone's answer")
    values = robot.witness.report("encoder_mic: mic", lambda values: int(values["embeddings"]) > 0)
    assert (values["dropped"], values["lost"]) == ("0", "0")
    assert float(values["age_s"]) < 10


def test_a_text_stays_said_when_its_speaker_leaves(robot: Robot) -> None:
    robot.encoder("keyboard", modality="text")
    robot.wait_for_encoder("keyboard")
    speaker = robot.driver("keyboard", "std_msgs/msg/String", lambda stamp: text_message("two"))
    robot.witness.until("keyboard", True, 0.0)
    speaker.close()
    robot.witness.report(
        "encoder_keyboard: keyboard", lambda values: "waits for a driver" in values["message"]
    )
    assert "keyboard" in robot.witness.live_now()


def test_bad_raw_messages_are_counted_and_disturb_nobody(robot: Robot) -> None:
    camera = robot.camera("rough", 2)
    encoder = robot.encoder("rough")
    robot.witness.until("rough", True, 0.0)
    camera.hangs.set()
    begun = time.monotonic()
    rng = np.random.default_rng(0)
    good = image_message(picture(2, rng), time.time_ns())
    for count, fault in enumerate(({"data": good.data[:100]}, {"step": 3}, {"encoding": "rgb9"}), start=1):
        fields = {name: getattr(good, name) for name in good.__dataclass_fields__ if name != "__msgtype__"}
        camera.publisher.publish(message_class(IMAGE)(**{**fields, **fault}))
        # Each is to be counted before the next is sent, which would take its place.
        values = robot.witness.report(
            "encoder_rough: rough", lambda values, count=count: values["rejected"] == str(count)
        )
    assert "rgb9" in values["message"]
    camera.publisher.publish_cdr(b"\0\1\0\0nonsense")
    robot.witness.report("encoder_rough: rough", lambda values: values["malformed"] == "1")
    camera.hangs.clear()
    robot.witness.until("rough", True, begun + 0.5)
    assert encoder.process.poll() is None


def test_embeddings_that_do_not_fit_are_counted_and_the_others_go_on(robot: Robot) -> None:
    robot.camera("honest", 1)
    robot.encoder("honest")
    robot.witness.until("honest", True, 0.0)

    def foreign(sensor: str, vector: np.ndarray, space: int = SPACE.tag) -> object:
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)
        return encode_embedding(Embedding(sensor, "image", unit, time.time_ns(), space))

    cases = {
        "short": (foreign("short", np.ones(5)), "shape (5,)"),
        "alien": (foreign("alien", np.ones(8), space=7), "lives in space 0x00000007"),
        "broken": (foreign("broken", np.full(8, np.nan)), "not finite"),
        "cloud": (cloud_message(np.ones((3, 3), np.float32), time.time_ns()), "3 points"),
        "garbage": (b"\0\1\0\0?", "are not a sensor_msgs/msg/PointCloud2"),
    }
    for sensor, (message, reason) in cases.items():
        publisher = robot.node.publisher(f"omnibind/{sensor}/embedding", CLOUD, EMBEDDING)
        publisher.publish_cdr(message) if isinstance(message, bytes) else publisher.publish(message)
        values = robot.witness.report(
            f"fusion: {sensor}", lambda values, reason=reason: reason in values["message"]
        )
        assert (values["state"], values["rejected"]) == ("faulty", "1")
        publisher.close()
    assert robot.witness.live_now() == {"honest"}
    assert robot.fusion.process.poll() is None


def test_a_foreign_best_effort_encoder_takes_part(robot: Robot) -> None:
    publisher = robot.node.publisher("omnibind/foreign/embedding", CLOUD, SENSOR_DATA)
    robot.wait_for_encoder("foreign")
    vector = np.eye(SPACE.dim, dtype=np.float32)[3]

    def speaks_until_heard() -> bool:  # a volatile publisher's first word may come before the listener
        embedding = Embedding("foreign", "radar", vector, time.time_ns(), SPACE.tag)
        publisher.publish(encode_embedding(embedding))
        return "foreign" in robot.witness.live_now()

    wait_until(speaks_until_heard, "the foreign encoder is heard")
    assert robot.witness.answer_from("foreign") == "three"
    left = time.monotonic()
    publisher.close()
    robot.witness.until("foreign", False, left)


def test_two_encoders_of_one_name_are_warned_of(robot: Robot) -> None:
    robot.camera("twin", 1)
    robot.encoder("twin")
    other = robot.encoder("twin")
    warned = robot.witness.report("fusion: twin", lambda values: values["encoders"] == "2")
    assert "2 encoders publish under this name" in warned["message"]
    other.send(signal.SIGTERM)
    robot.wait_for_encoder("twin")
    assert "publish under this name" not in robot.witness.report("fusion: twin", bool)["message"]


def test_labels_are_there_for_latecomers(robot: Robot) -> None:
    heard: list[object] = []
    robot.node.subscribe(
        "omnibind/labels",
        "vision_msgs/msg/LabelInfo",
        lambda message, info: heard.append(message),
        qos=LATCHED,
    )
    labels = wait_until(lambda: heard, "the labels")[0]
    assert [entry.class_name for entry in labels.class_map] == list(LABELS)
    assert labels.threshold == pytest.approx(0.4)


def test_robot_processes_are_small_and_know_no_torch(robot: Robot) -> None:
    robot.camera("thin", 1)
    encoder = robot.encoder("thin")
    robot.witness.until("thin", True, 0.0)
    for name, process in (("fusion", robot.fusion), ("encoder", encoder)):
        print(f"\n    {name}: {process.resident_mb():.0f} MB", end="")
        assert process.resident_mb() < 150
        assert "torch" not in process.maps()
