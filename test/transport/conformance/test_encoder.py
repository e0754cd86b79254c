"""The encoder process over each transport, in the test's process, where its model can be held up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import bundles
import cv2
import numpy as np
import pytest
import sensor_messages
from graphs import Graph
from local_robot import LocalRobot
from robot import CLOUD, DEEP_LATCHED, IMAGE
from tiny_bundle import LABELS, picture, spoken, write_tiny_bundle
from transport_support import GENEROUS_S, wait_until

from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.embedding_cloud import decode_embedding
from omnibind_ros.messages.stamps import ns_to_time, stamp_of
from omnibind_ros.modalities.audio.messages import audio_message
from omnibind_ros.modalities.event.evt3 import Evt3Decoder
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.modalities.registry import definitions, names
from omnibind_ros.modalities.text.messages import text_message
from omnibind_ros.play.player import play_samples
from omnibind_ros.transport.qos import Qos

UNSTAMPED = "std_msgs/msg/Float32MultiArray"
AUDIO = "audio_common_msgs/msg/AudioDataStamped"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def robot(graph: Graph, bundle: Path) -> Iterator[LocalRobot]:
    robot = LocalRobot(graph, bundle)
    yield robot
    robot.tidy()


def embeddings(robot: LocalRobot, sensor: str) -> list[Any]:
    return robot.hear(f"omnibind/{sensor}/embedding", CLOUD, DEEP_LATCHED)


# -------- drivers


def test_a_sensor_joins_with_its_first_sample_and_leaves_with_its_driver(robot: LocalRobot) -> None:
    robot.encoder("camera")
    robot.wait_for_encoder("camera")
    robot.encoder_reports("camera", lambda values: "waits for a driver on camera/raw" in values["message"])
    assert robot.witness.live_now() == frozenset()
    camera = robot.camera("camera", 2)
    robot.witness.until("camera", True)
    robot.witness.until_answer("camera", LABELS[2])

    hung = time.monotonic()
    camera.hangs.set()
    robot.witness.until("camera", False, hung)
    robot.encoder_reports("camera", lambda values: "driver is silent" in values["message"])
    back = time.monotonic()
    camera.hangs.clear()
    robot.witness.until("camera", True, back)

    robot.witness.until("camera", False, camera.end())
    robot.fusion_reports("camera", lambda values: "no valid input" in values["message"])
    robot.encoder_reports("camera", lambda values: values["state"] == "lost")
    back = time.monotonic()
    robot.camera("camera", 3)
    robot.witness.until("camera", True, back)
    robot.witness.until_answer("camera", LABELS[3])


def test_the_subscription_is_there_before_a_driver(robot: LocalRobot) -> None:
    robot.encoder("early")
    publisher = robot.transport.publisher("early/raw", IMAGE, Qos(reliability="best_effort", depth=1))
    assert publisher.wait_for_subscriber(GENEROUS_S)
    rng = np.random.default_rng(0)
    repeat_until(
        lambda: publisher.publish(image_message(picture(1, rng), time.time_ns())),
        lambda: "early" in robot.witness.live_now(),
        "a sensor",
    )


def test_whatever_type_the_driver_publishes_is_read(robot: LocalRobot) -> None:
    rng = np.random.default_rng(0)
    robot.encoder("any")
    wrong = robot.transport.publisher("any/raw", "sensor_msgs/msg/Imu", Qos())
    told = robot.encoder_reports("any", lambda values: "carries sensor_msgs/msg/Imu" in values["message"])
    assert "reads sensor_msgs/msg/Image or sensor_msgs/msg/CompressedImage" in told["message"]
    assert told["level"] == "2"
    wrong.close()

    def jpeg(stamp: int) -> Any:
        header = image_message(picture(3, rng), stamp).header
        data = cv2.imencode(".jpg", picture(3, rng))[1].reshape(-1)
        return message_class("sensor_msgs/msg/CompressedImage")(header=header, format="jpeg", data=data)

    compressed = robot.driver("any", "sensor_msgs/msg/CompressedImage", jpeg)
    robot.witness.until("any", True)
    robot.witness.until_answer("any", LABELS[3])
    left = compressed.end()
    robot.witness.until("any", False, left)
    robot.camera("any", 1)
    robot.witness.until("any", True, left)
    robot.witness.until_answer("any", LABELS[1])


def test_a_type_that_was_not_asked_for_is_not_read(robot: LocalRobot) -> None:
    robot.encoder("strict", message_type="sensor_msgs/msg/CompressedImage")
    robot.camera("strict", 1)
    told = robot.encoder_reports(
        "strict", lambda values: "carries sensor_msgs/msg/Image" in values["message"]
    )
    assert told["message"].endswith("this encoder reads sensor_msgs/msg/CompressedImage")
    assert "strict" not in robot.witness.live_now()


def test_two_drivers_of_one_topic_are_warned_of(robot: LocalRobot) -> None:
    robot.encoder("mixed")
    one, other = robot.camera("mixed", 1), robot.camera("mixed", 2)
    robot.encoder_reports(
        "mixed",
        lambda values: "2 publishers on /mixed/raw" in values["message"] and values["level"] == "1",
    )
    other.end()
    robot.encoder_reports(
        "mixed", lambda values: "publishers" not in values["message"] and values["level"] == "0"
    )
    robot.witness.until_answer("mixed", LABELS[1])
    one.end()


def test_bad_messages_are_counted_and_the_next_good_one_is_read(robot: LocalRobot) -> None:
    camera = robot.camera("rough", 2)
    robot.encoder("rough")
    robot.witness.until("rough", True)
    camera.hangs.set()
    robot.encoder_reports("rough", lambda values: "driver is silent" in values["message"])
    good = image_message(picture(2, np.random.default_rng(0)), time.time_ns())
    faults = {"data": good.data[:100], "step": 3, "encoding": "rgb9", "width": 0}
    for rejected, (field, value) in enumerate(faults.items(), start=1):
        camera.publisher.publish(replace(good, **{field: value}))
        # Each is to be counted before the next is sent, which would take its place.
        told = robot.encoder_reports(
            "rough", lambda values, rejected=rejected: values["rejected"] == str(rejected)
        )
        assert (told["state"], told["level"]) == ("faulty", "2")
    camera.publisher.publish_cdr(b"\0\1\0\0nonsense")
    robot.encoder_reports("rough", lambda values: values["malformed"] == "1")
    back = time.monotonic()
    camera.hangs.clear()
    robot.witness.until("rough", True, back)


def test_a_clock_far_off_is_reported_and_does_not_matter(robot: LocalRobot) -> None:
    robot.camera("late", 1, clock=lambda: time.time_ns() - 3600 * 10**9)
    robot.encoder("late")
    robot.witness.until("late", True)
    robot.encoder_reports(
        "late", lambda values: float(values["stamp_offset_s"]) == pytest.approx(-3600, abs=30)
    )


def test_a_text_stays_valid_when_its_publisher_leaves(robot: LocalRobot) -> None:
    robot.encoder("keyboard", "text")
    keyboard = robot.driver("keyboard", "std_msgs/msg/String", lambda stamp: text_message("two"))
    robot.witness.until("keyboard", True)
    keyboard.end()
    robot.encoder_reports("keyboard", lambda values: values["state"] == "lost")
    assert robot.witness.next_answer(lambda message: bool(message.results)).results[0].class_id == LABELS[2]
    assert "keyboard" in robot.witness.live_now()


def test_a_stream_loses_no_chunk(robot: LocalRobot) -> None:
    rng = np.random.default_rng(0)
    word = np.concatenate([np.zeros(8000, np.float32), spoken(2, 16000)])
    chunks = np.resize(word, (200, 800))
    robot.encoder("mic", "audio", queue_s=60.0)
    publisher = robot.transport.publisher("mic/raw", AUDIO, Qos(depth=len(chunks)))
    assert publisher.wait_for_subscriber(GENEROUS_S)
    robot.encoder_reports("mic", lambda values: "waits for a driver" not in values["message"])
    for chunk in chunks:
        noise = 0.0003 * rng.standard_normal(800).astype(np.float32)
        publisher.publish(audio_message(chunk + noise, time.time_ns()))
    told = robot.encoder_reports("mic", lambda values: values["messages"] == str(len(chunks)))
    assert (told["dropped"], told["lost"], told["lost_in_gaps"]) == ("0", "0", "0")
    assert int(told["embeddings"]) > 0
    robot.witness.until_answer("mic", LABELS[2])


# -------- start, stop and changes


def test_it_publishes_a_withdrawal_when_it_stops_and_can_start_again(robot: LocalRobot) -> None:
    heard = embeddings(robot, "told")
    robot.camera("told", 2)
    encoder = robot.encoder("told")
    for _ in range(3):
        robot.witness.until("told", True, time.monotonic())
        stopped = time.monotonic()
        encoder.stop()
        encoder.stop()
        robot.witness.until("told", False, stopped)
        robot.fusion_reports("told", lambda values: values["encoders"] == "0")
        wait_until(lambda: heard[-1].width == 0, "a withdrawal")
        assert encoder.reports() == []
        encoder.start()


def test_no_embedding_follows_a_withdrawal(robot: LocalRobot) -> None:
    heard = embeddings(robot, "hasty")
    camera = robot.camera("hasty", 1, period_s=0.002)
    encoder = robot.encoder("hasty", driver_timeout_s=1000.0)
    for withdrawals in range(1, 11):
        wait_until(lambda: heard and heard[-1].width == 1, "embeddings")
        ends = encoder.stop if withdrawals % 2 else camera.end
        ends()
        wait_until(
            lambda withdrawals=withdrawals: sum(message.width == 0 for message in heard) == withdrawals,
            "a withdrawal",
        )
        time.sleep(0.02)
        assert heard[-1].width == 0, "an embedding followed"
        if withdrawals % 2:
            encoder.start()
        else:
            camera = robot.camera("hasty", 1, period_s=0.002)


def test_settings_change_while_it_runs(robot: LocalRobot) -> None:
    camera = robot.camera("patient", 1)
    encoder = robot.encoder("patient", driver_timeout_s=1000.0)
    robot.witness.until("patient", True)
    camera.hangs.set()
    # Fusion alone notices: the encoder still waits for its driver.
    robot.fusion_reports("patient", lambda values: values["state"] == "stale")
    impatient = encoder.settings.model_copy(update={"driver_timeout_s": 0.3, "topic": "other"})
    encoder.apply(impatient)
    robot.encoder_reports("patient", lambda values: "driver is silent" in values["message"])
    assert (encoder.settings.driver_timeout_s, encoder.settings.topic) == (0.3, "patient/raw")


# -------- a slow model


class Gate:
    """What a model's inference waits for while it is shut."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()
        self._open.set()

    def shut(self) -> None:
        self.reached.clear()
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def wait_until_reached(self) -> None:
        assert self.reached.wait(GENEROUS_S), "nothing is encoded"

    def pass_through(self) -> None:
        self.reached.set()
        assert self._open.wait(3 * GENEROUS_S)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate, encode = Gate(), SensorEncoder.encode

    def encode_behind_gate(encoder: SensorEncoder, sample: Any) -> Any:
        gate.pass_through()
        return encode(encoder, sample)

    monkeypatch.setattr(SensorEncoder, "encode", encode_behind_gate)
    yield gate
    gate.open()


class Camera:
    """Publishes a picture at a time."""

    def __init__(self, robot: LocalRobot, sensor: str) -> None:
        self.stamps: list[int] = []
        self._publisher = robot.transport.publisher(f"{sensor}/raw", IMAGE, Qos())
        self._rng = np.random.default_rng(0)
        assert self._publisher.wait_for_subscriber(GENEROUS_S)
        robot.encoder_reports(sensor, lambda values: "waits for a driver" not in values["message"])

    def shoot(self) -> None:
        stamp = time.time_ns()
        self._publisher.publish(image_message(picture(1, self._rng), stamp))
        self.stamps.append(stamp)

    def end(self) -> None:
        self._publisher.close()


def repeat_until(act: Callable[[], None], condition: Callable[[], object], what: str) -> None:
    """Act every 20 ms until something is so."""

    def acted() -> object:
        act()
        time.sleep(0.02)
        return condition()

    wait_until(acted, what)


def newest(robot: LocalRobot, sensor: str) -> dict[str, str]:
    return robot.encoder_reports(sensor, bool)


def test_a_slow_model_gets_the_newest_picture(robot: LocalRobot, gate: Gate) -> None:
    heard = embeddings(robot, "slow")
    robot.encoder("slow", driver_timeout_s=1000.0)
    camera = Camera(robot, "slow")
    gate.shut()
    camera.shoot()
    gate.wait_until_reached()
    repeat_until(camera.shoot, lambda: int(newest(robot, "slow")["dropped"]) >= 3, "drops are reported")
    assert not heard
    gate.open()
    wait_until(lambda: heard and stamp_of(heard[-1]) == camera.stamps[-1], "the newest picture's embedding")
    assert stamp_of(heard[0]) == camera.stamps[0]
    assert len(heard) <= len(camera.stamps) - 3


def test_a_stream_that_is_too_fast_loses_its_oldest_chunks_and_reports_it(
    robot: LocalRobot, gate: Gate
) -> None:
    heard = embeddings(robot, "flood")
    robot.encoder("flood", "audio", queue_depth=4, driver_timeout_s=1000.0)
    publisher = robot.transport.publisher("flood/raw", AUDIO, Qos(depth=50))
    assert publisher.wait_for_subscriber(GENEROUS_S)
    sound = np.concatenate([np.zeros(4000, np.float32), spoken(2, 16000)])
    chunks, rng = iter(np.resize(sound, (20_000, 800))), np.random.default_rng(0)

    def speak() -> None:
        chunk = next(chunks) + 0.0003 * rng.standard_normal(800).astype(np.float32)
        publisher.publish(audio_message(chunk, time.time_ns()))

    gate.shut()
    repeat_until(speak, gate.reached.is_set, "a first window")
    repeat_until(speak, lambda: int(newest(robot, "flood")["dropped"]) >= 3, "drops are reported")
    assert not heard
    gate.open()
    repeat_until(speak, lambda: any(message.width for message in heard), "an embedding after the gap")
    robot.encoder_reports("flood", lambda values: int(values["lost_in_gaps"]) >= 3)


def test_the_withdrawal_does_not_wait_for_the_sample_in_work(robot: LocalRobot, gate: Gate) -> None:
    heard = embeddings(robot, "leaving")
    encoder = robot.encoder("leaving", driver_timeout_s=1000.0)
    camera = Camera(robot, "leaving")
    camera.shoot()
    wait_until(lambda: heard, "an embedding")
    gate.shut()
    camera.shoot()
    gate.wait_until_reached()
    stopping = threading.Thread(target=encoder.stop)
    stopping.start()
    wait_until(lambda: heard[-1].width == 0, "the withdrawal")
    gate.open()
    stopping.join()
    encoder.start()
    repeat_until(camera.shoot, lambda: heard[-1].width == 1, "the next embedding")
    assert [message.width for message in heard][:3] == [1, 0, 1]
    assert stamp_of(heard[2]) in camera.stamps[2:]


def test_the_sample_in_work_when_its_driver_leaves_is_not_published_for_the_next_one(
    robot: LocalRobot, gate: Gate
) -> None:
    heard = embeddings(robot, "replaced")
    encoder = robot.encoder("replaced", driver_timeout_s=1000.0)
    camera = Camera(robot, "replaced")
    camera.shoot()
    wait_until(lambda: heard, "an embedding")
    gate.shut()
    camera.shoot()
    gate.wait_until_reached()
    camera.end()
    wait_until(lambda: heard[-1].width == 0, "the withdrawal")
    following = Camera(robot, "replaced")
    wait_until(lambda: "waits for a driver" not in encoder.reports()[0].message, "the next driver")
    gate.open()
    repeat_until(following.shoot, lambda: heard[-1].width == 1, "the next embedding")
    assert [message.width for message in heard][:3] == [1, 0, 1]
    assert stamp_of(heard[2]) in following.stamps


# -------- every message type


@pytest.fixture(scope="module")
def stub_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with an encoder for every preprocessor that there is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "MODALITIES", names())
        return bundles.write_stub_bundle(tmp_path_factory.mktemp("bundles") / "stub")


def compressed(message: Any) -> Any:
    channels = {"rgb8": (np.uint8, 3), "mono8": (np.uint8, 1), "32FC1": (np.float32, 1)}
    dtype, depth = channels[message.encoding]
    pixels = np.frombuffer(message.data, dtype).reshape(message.height, message.width, depth)
    if dtype is np.float32:
        pixels = np.interp(pixels, [pixels.min(), pixels.max()], [0, 65535]).astype(np.uint16)
    data = cv2.imencode(".png", pixels[..., ::-1])[1].reshape(-1)
    return message_class("sensor_msgs/msg/CompressedImage")(header=message.header, format="png", data=data)


def event_array(message: Any) -> Any:
    event, array = message_class("dvs_msgs/msg/Event"), message_class("dvs_msgs/msg/EventArray")
    events = Evt3Decoder().decode(message, stamp_of(message))
    rows = zip(events.x.tolist(), events.y.tolist(), events.t.tolist(), events.p.tolist(), strict=True)
    listed = [event(x=x, y=y, ts=ns_to_time(t), polarity=bool(p)) for x, y, t, p in rows]
    return array(header=message.header, width=message.width, height=message.height, events=listed)


FROM_PLAYED: dict[str, Callable[[Any], Any]] = {
    "sensor_msgs/msg/CompressedImage": compressed,
    "audio_common_msgs/msg/AudioData": lambda message: message.audio,
    "dvs_msgs/msg/EventArray": event_array,
}
"""How a message of another type follows from what a player publishes."""

FROM_ROW: dict[str, Callable[[list[float], int], Any]] = {
    "sensor_msgs/msg/Imu": sensor_messages.imu,
    "sensor_msgs/msg/JointState": sensor_messages.joints,
    "std_msgs/msg/Float32MultiArray": sensor_messages.numbers,
}
"""How a message follows from the values and the stamp of a moment in a time series."""


def play(modality: str, type_name: str, publish: Callable[[Any], None], stop: threading.Event) -> None:
    """Be a driver of some sensor until `stop` is set."""
    if make_row := FROM_ROW.get(type_name):
        rows = np.random.default_rng(0).normal(size=(200, 6))
        first = time.time_ns() - 4 * 10**9
        for index, row in enumerate(rows.tolist()):
            publish(make_row(row, first + index * 20_000_000))
            if type_name == UNSTAMPED and stop.wait(0.02):
                return
        return
    convert, scene = FROM_PLAYED.get(type_name), Scene(5)
    samples = (scene.sample(modality) for _ in count())
    emit = (lambda message: publish(convert(message))) if convert else publish
    play_samples(emit, modality, samples, stop)


@pytest.mark.parametrize(
    "modality, type_name", [(known.name, name) for known in definitions() for name in known.reads]
)
def test_every_type_of_message_is_read(
    graph: Graph, stub_bundle: Path, modality: str, type_name: str
) -> None:
    if graph.middleware.name == "ros":
        pytest.importorskip(type_name.split("/")[0], reason="ROS 2 distributions do not bring it")
    robot = LocalRobot(graph, stub_bundle)
    heard, stop = embeddings(robot, "sensor"), threading.Event()
    robot.encoder("sensor", modality, queue_s=60.0)
    publisher = robot.transport.publisher("sensor/raw", type_name, Qos(depth=200))
    assert publisher.wait_for_subscriber(GENEROUS_S)
    robot.encoder_reports("sensor", lambda values: "waits for a driver" not in values["message"])
    driver = threading.Thread(target=play, args=(modality, type_name, publisher.publish, stop))
    driver.start()
    try:
        wait_until(lambda: any(message.width for message in heard), f"an embedding of {modality}")
    finally:
        stop.set()
        driver.join()
    embedding = decode_embedding(next(message for message in heard if message.width), "sensor")
    assert embedding and embedding.modality == modality
    values = newest(robot, "sensor")
    assert (values["rejected"], values["failures"]) == ("0", "0")
