"""The encoder node in the test's own process, where its model can be held up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import bundles
import cv2
import numpy as np
import pytest
import rclpy
from audio_common_msgs.msg import AudioDataStamped
from geometry_msgs.msg import Vector3
from omnibind_ros.transport.ros.types import TYPES
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from ros_robot import LATCHED, Robot, as_cdr
from sensor_msgs.msg import Image, Imu, JointState, PointCloud2
from std_msgs.msg import Float32MultiArray
from tiny_bundle import picture, spoken
from transport_support import GENEROUS_S, wait_until

from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.messages import cdr
from omnibind_ros.messages.embedding_cloud import decode_embedding
from omnibind_ros.messages.stamps import make_header, ns_to_time, stamp_of
from omnibind_ros.modalities.audio.messages import audio_message
from omnibind_ros.modalities.event.evt3 import Evt3Decoder
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.modalities.registry import definitions, names
from omnibind_ros.play.player import play_samples
from omnibind_ros.transport.ros.encoder_node import EncoderNode, node_name


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """A node takes the package's log for itself."""
    log = logging.getLogger("omnibind_ros")
    before = log.handlers, log.level, log.propagate
    yield
    log.handlers, _, log.propagate = before
    log.setLevel(before[1])


@contextmanager
def running(sensor: str, modality: str, bundle: Path, **parameters: Any) -> Iterator[EncoderNode]:
    """The encoder node of a sensor on a thread of this process; its driver's topic is `<sensor>/raw`."""
    own = {"sensor": sensor, "modality": modality, "topic": f"{sensor}/raw", "bundle": str(bundle)}
    given = {**own, "diagnostic_updater.period": 0.1, **parameters}
    overrides = [Parameter(name, value=value) for name, value in given.items()]
    context = Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = EncoderNode(f"encoder_{sensor}", context=context, parameter_overrides=overrides)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin() -> None:
        with suppress(ExternalShutdownException):
            executor.spin()

    thread = threading.Thread(target=spin, daemon=True)
    thread.start()
    try:
        yield node
    finally:
        executor.shutdown()
        thread.join()
        node.close()
        node.destroy_node()
        rclpy.shutdown(context=context)


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

    @property
    def is_open(self) -> bool:
        return self._open.is_set()

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
    """Takes a picture when it is told to."""

    def __init__(self, robot: Robot, sensor: str) -> None:
        self.stamps: list[int] = []
        self._publisher = robot.node.create_publisher(Image, f"{sensor}/raw", 10)
        self._rng = np.random.default_rng(0)
        wait_until(self._publisher.get_subscription_count, "the encoder listens")

    def shoot(self) -> None:
        stamp = time.time_ns()
        self._publisher.publish(as_cdr(image_message(picture(1, self._rng), stamp)))
        self.stamps.append(stamp)


def embeddings(robot: Robot, sensor: str) -> list[PointCloud2]:
    return robot.hear(f"omnibind/{sensor}/embedding", PointCloud2, LATCHED)


def repeat_until(act: Callable[[], None], condition: Callable[[], object], what: str) -> None:
    """Act every 20 ms until something is so."""

    def acted() -> object:
        act()
        time.sleep(0.02)
        return condition()

    wait_until(acted, what)


def newest(robot: Robot, sensor: str) -> dict[str, str]:
    """What the encoder last told of itself while it was active."""
    return robot.encoder_says(sensor, lambda values: "embeddings" in values)


def test_a_slow_model_delays_nothing_else_and_gets_the_newest_picture(
    robot: Robot, bundle: Path, gate: Gate
) -> None:
    heard = embeddings(robot, "slow")
    with running("slow", "image", bundle, driver_timeout_s=1000.0):
        camera = Camera(robot, "slow")
        gate.shut()
        camera.shoot()
        gate.wait_until_reached()

        assert robot.get("encoder_slow", "topic") == "slow/raw"
        assert robot.set("encoder_slow", "driver_periods", "5") == ""
        assert robot.state("encoder_slow") == "active"
        repeat_until(camera.shoot, lambda: int(newest(robot, "slow")["dropped"]) >= 3, "drops are told")
        assert not heard and not gate.is_open

        gate.open()
        wait_until(
            lambda: heard and stamp_of(heard[-1]) == camera.stamps[-1], "the newest picture's embedding"
        )
        assert stamp_of(heard[0]) == camera.stamps[0]
        assert len(heard) <= len(camera.stamps) - 3
        robot.encoder_says("slow", lambda values: values["embeddings"] == str(len(heard)))


def test_a_stream_that_is_too_fast_loses_its_oldest_chunks_and_says_so(
    robot: Robot, bundle: Path, gate: Gate
) -> None:
    heard = embeddings(robot, "flood")
    with running("flood", "audio", bundle, queue_depth=4, driver_timeout_s=1000.0):
        publisher = robot.node.create_publisher(AudioDataStamped, "flood/raw", 50)
        wait_until(publisher.get_subscription_count, "the encoder listens")
        sound = np.concatenate([np.zeros(4000, np.float32), spoken(2, 16000)])
        chunks, rng = iter(np.resize(sound, (20_000, 800))), np.random.default_rng(0)

        def speak() -> None:
            chunk = next(chunks) + 0.0003 * rng.standard_normal(800).astype(np.float32)
            publisher.publish(as_cdr(audio_message(chunk, time.time_ns())))

        gate.shut()
        repeat_until(speak, gate.reached.is_set, "a first window")
        repeat_until(speak, lambda: int(newest(robot, "flood")["dropped"]) >= 3, "drops are told")
        assert not heard

        gate.open()
        repeat_until(speak, lambda: any(message.width for message in heard), "an embedding after the gap")
        values = robot.encoder_says("flood", lambda values: int(values["lost_in_gaps"]) >= 3)
        assert values["lost_in_gaps"] == values["dropped"]


def test_the_goodbye_does_not_wait_for_the_sample_in_work(robot: Robot, bundle: Path, gate: Gate) -> None:
    heard = embeddings(robot, "leaving")
    with running("leaving", "image", bundle, driver_timeout_s=1000.0):
        camera = Camera(robot, "leaving")
        camera.shoot()
        wait_until(lambda: heard, "an embedding")
        gate.shut()
        camera.shoot()
        gate.wait_until_reached()
        order = threading.Thread(target=robot.transition, args=("encoder_leaving", "deactivate"))
        order.start()
        wait_until(lambda: heard[-1].width == 0, "the goodbye")
        assert not gate.is_open
        gate.open()
        order.join()
        assert robot.state("encoder_leaving") == "inactive"
        assert [message.width for message in heard] == [1, 0]


@pytest.fixture(scope="module")
def stub_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with an encoder for every adaptor that there is."""
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
    kind = cdr.message_class("sensor_msgs/msg/CompressedImage")
    return kind(header=message.header, format="png", data=data)


def event_array(message: Any) -> Any:
    event, array = cdr.message_class("dvs_msgs/msg/Event"), cdr.message_class("dvs_msgs/msg/EventArray")
    events = Evt3Decoder().decode(message, stamp_of(message))
    rows = zip(events.x.tolist(), events.y.tolist(), events.t.tolist(), events.p.tolist(), strict=True)
    listed = [event(x=x, y=y, ts=ns_to_time(t), polarity=p) for x, y, t, p in rows]
    return array(header=message.header, width=message.width, height=message.height, events=listed)


def imu(row: list[float], stamp: int) -> Imu:
    linear, angular = Vector3(x=row[0], y=row[1], z=row[2]), Vector3(x=row[3], y=row[4], z=row[5])
    header = make_header(TYPES, stamp)
    return Imu(header=header, linear_acceleration=linear, angular_velocity=angular)


FROM_PLAYED: dict[str, Callable[[Any], Any]] = {
    "sensor_msgs/msg/CompressedImage": compressed,
    "audio_common_msgs/msg/AudioData": lambda message: message.audio,
    "dvs_msgs/msg/EventArray": event_array,
}
"""How a message of another type follows from what a player publishes."""

FROM_ROW: dict[str, Callable[[list[float], int], Any]] = {
    "sensor_msgs/msg/Imu": imu,
    "sensor_msgs/msg/JointState": lambda row, stamp: JointState(
        header=make_header(TYPES, stamp), position=row
    ),
    "std_msgs/msg/Float32MultiArray": lambda row, stamp: Float32MultiArray(data=row),
}
"""How a message follows from the values and the stamp of a moment in a time series."""


def play(modality: str, type_name: str, publish: Callable[[Any], None], stop: threading.Event) -> None:
    """Be a driver of some sensor until `stop` is set."""
    if make_row := FROM_ROW.get(type_name):
        rows = np.random.default_rng(0).normal(size=(200, 6))
        first = time.time_ns() - 4 * 10**9
        for index, row in enumerate(rows.tolist()):
            publish(make_row(row, first + index * 20_000_000))
        return
    convert, scene = FROM_PLAYED.get(type_name), Scene(5)
    samples = (scene.sample(modality) for _ in count())
    emit = lambda message: publish(as_cdr(convert(message) if convert else message))  # noqa: E731
    play_samples(emit, modality, samples, stop)


@pytest.mark.parametrize(
    "modality, type_name", [(known.name, type_name) for known in definitions() for type_name in known.reads]
)
def test_every_type_of_message_is_read(
    robot: Robot, stub_bundle: Path, modality: str, type_name: str
) -> None:
    pytest.importorskip(type_name.split("/")[0], reason="ROS 2 distributions do not bring it")
    sensor = f"{modality}_{type_name.rsplit('/', 1)[-1].lower()}"
    heard, stop = embeddings(robot, sensor), threading.Event()
    publisher = robot.node.create_publisher(TYPES[type_name], f"{sensor}/raw", 200)
    with running(sensor, modality, stub_bundle, queue_depth=200):
        wait_until(publisher.get_subscription_count, "the encoder listens")
        driver = threading.Thread(target=play, args=(modality, type_name, publisher.publish, stop))
        driver.start()
        try:
            wait_until(lambda: any(message.width for message in heard), f"an embedding of {modality}")
        finally:
            stop.set()
            driver.join()
        values = newest(robot, sensor)
    embedding = next(message for message in heard if message.width)
    assert decode_embedding(embedding, sensor).modality == modality
    assert (values["rejected"], values["failures"]) == ("0", "0")
    robot.node.destroy_publisher(publisher)


@pytest.mark.parametrize(
    "arguments, name",
    [
        ((), "encoder"),
        (("--ros-args", "-p", "sensor:=wrist", "-p", "modality:=touch"), "encoder_wrist"),
        (("--ros-args", "-p", "encoder:sensor:=wrist"), "encoder_wrist"),
        (("--ros-args", "-p", "sensor:=wrist", "-p", "sensor:=palm"), "encoder_palm"),
        (("--ros-args", "-p", "sensor:=Front-Cam"), "encoder"),
        (("--ros-args", "-p", "sensor:="), "encoder"),
        (("--ros-args", "-p", "my_sensor:=wrist"), "encoder"),
    ],
)
def test_a_node_is_called_after_its_sensor(arguments: tuple[str, ...], name: str) -> None:
    assert node_name(arguments) == name
