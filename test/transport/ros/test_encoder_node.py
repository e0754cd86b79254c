"""The encoder node in the test's own process, where its model can be held up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from robot import IMAGE
from ros_robot import Robot
from tiny_bundle import picture
from transport_support import GENEROUS_S, wait_until

from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.transport.qos import Qos
from omnibind_ros.transport.ros.encoder_node import EncoderNode, node_name


@contextmanager
def running(sensor: str, bundle: Path, *arguments: str, **parameters: Any) -> Iterator[EncoderNode]:
    """The encoder node of a camera on a thread of this process; its driver's topic is `<sensor>/raw`.

    Args:
        arguments: as after `--ros-args`.
    """
    own = {"sensor": sensor, "modality": "image", "topic": f"{sensor}/raw", "bundle": str(bundle)}
    overrides = [Parameter(name, value=value) for name, value in {**own, **parameters}.items()]
    context = Context()
    rclpy.init(context=context, signal_handler_options=SignalHandlerOptions.NO)
    node = EncoderNode(
        f"encoder_{sensor}",
        context=context,
        parameter_overrides=overrides,
        cli_args=["--ros-args", *arguments] if arguments else None,
    )
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


def test_services_answer_while_the_model_is_slow(
    robot: Robot, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on, encode = threading.Event(), threading.Event(), SensorEncoder.encode

    def encode_slowly(encoder: SensorEncoder, sample: Any) -> Any:
        reached.set()
        assert go_on.wait(3 * GENEROUS_S)
        return encode(encoder, sample)

    monkeypatch.setattr(SensorEncoder, "encode", encode_slowly)
    publisher = robot.transport.publisher("slow/raw", IMAGE, Qos())
    with running("slow", bundle):
        assert publisher.wait_for_subscriber(GENEROUS_S)
        robot.encoder_reports("slow", lambda values: "waits for a driver" not in values["message"])
        publisher.publish(image_message(picture(1, np.random.default_rng(0)), time.time_ns()))
        assert reached.wait(GENEROUS_S)
        assert robot.get("encoder_slow", "topic") == "slow/raw"
        assert robot.set("encoder_slow", "driver_periods", "5.0") == ""
        assert robot.state("encoder_slow") == "active"
        go_on.set()
        robot.encoder_reports("slow", lambda values: values["embeddings"] == "1")
    publisher.close()


def test_embeddings_that_are_remapped_are_warned_of(robot: Robot, bundle: Path) -> None:
    remapping = "omnibind/away/embedding:=elsewhere"
    heard = robot.hear("elsewhere", "sensor_msgs/msg/PointCloud2")
    with running("away", bundle, "-r", remapping):
        robot.camera("away", 1)
        wait_until(lambda: heard, "an embedding")
        told = robot.encoder_reports("away", lambda values: values["state"] == "live")
        assert "remapped to /elsewhere, fusion reads /omnibind/away/embedding" in told["message"]
        assert told["level"] == "1"


def test_a_remapped_driver_is_found(robot: Robot, bundle: Path) -> None:
    with running("front", bundle, "-r", "front/raw:=left/raw"):
        robot.camera("left", 2)
        robot.witness.until("front", True)


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
