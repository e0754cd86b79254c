"""Latency of ROS 2 fusion from an embedding to its recognition, compared with the floor: two bare hops.

    source /opt/ros/<distro>/setup.bash
    python benchmarks/ros2_latency.py

Floor: this process publishes an embedding's PointCloud2, another rclpy process publishes it back. Fusion:
this process publishes embeddings as encoders do, `fusion_node` answers, and the recognition comes back here.
Both are two hops between two rclpy processes; the difference is the time that fusion needs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from vision_msgs.msg import Classification

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.messages.cdr import serialise
from omnibind_ros.messages.embedding_cloud import encode_embedding
from omnibind_ros.messages.stamps import stamp_of
from omnibind_ros.messages.topics import RECOGNITION, embedding_topic
from omnibind_ros.process.child import run_main
from omnibind_ros.transport.qos import EMBEDDING
from omnibind_ros.transport.ros.qos import to_profile
from omnibind_ros.transport.ros.session import ros_transport
from omnibind_ros.types import Embedding

SENSORS = {
    "camera": "image",
    "microphone": "audio",
    "skin": "touch",
    "dvs": "event",
    "depth": "point_cloud",
    "thermal_camera": "thermal",
}
CLOUD = "sensor_msgs/msg/PointCloud2"
_WARM_UP = 50
_DISCOVERY_S = 5.0
RELAY = """
import rclpy, rclpy.signals
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
rclpy.init(signal_handler_options=rclpy.signals.SignalHandlerOptions.NO)
node = Node("relay")
back = node.create_publisher(PointCloud2, "back", QoSProfile(depth=1))
node.create_subscription(PointCloud2, "there", back.publish, QoSProfile(depth=1))
rclpy.spin(node)
"""


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=500, help="per figure")
    parser.add_argument("--interval", type=float, default=0.03, help="seconds between messages")
    arguments = parser.parse_args()
    os.environ["ROS_DOMAIN_ID"] = str(40 + os.getpid() % 60)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    print(f"{'':12} {'floor: median':>14} {'p95':>8} {'fusion: median':>18} {'p95':>8}    ratio")
    for sensors in (1, 3, 6):
        floor, fusion = Bench(arguments.messages, arguments.interval).measure(sensors)
        ratio = fusion / floor
        print(
            f"{sensors} sensor{'s' if sensors > 1 else ' '}    {floor[0]:11.2f} ms {floor[1]:5.2f} ms"
            f" {fusion[0]:15.2f} ms {fusion[1]:5.2f} ms    {ratio[0]:.2f} {ratio[1]:.2f}"
        )


class Bench:
    """Both figures from one run: messages go to the relay and to fusion in turns."""

    def __init__(self, messages: int, interval_s: float) -> None:
        self._messages = messages
        self._interval = interval_s
        bundle = Bundle.load("digits")
        self._space = bundle.space.tag
        self._centres = LabelBank.load(bundle.labels_path).class_centres
        self._rng = np.random.default_rng(0)

    def measure(self, sensors: int) -> tuple[np.ndarray, np.ndarray]:
        """Median and p95 in ms: there and back; from publishing an embedding to receiving its recognition."""
        fusion = [*run_main("omnibind_ros.transport.ros.executables", "fusion_node"), "--ros-args"]
        fusion += ["-p", "max_rate_hz:=1000.0", "--log-level", "error"]
        with _process([sys.executable, "-c", RELAY]), _process(fusion), ros_transport("bench") as transport:
            node = transport.node
            there = node.create_publisher(PointCloud2, "there", QoSProfile(depth=1))
            names = list(SENSORS)[:sensors]
            publishers = {
                name: node.create_publisher(PointCloud2, embedding_topic(name), to_profile(EMBEDDING))
                for name in names
            }
            back, answered = (
                self._arrivals(node, PointCloud2, "back"),
                self._arrivals(node, Classification, RECOGNITION),
            )
            time.sleep(_DISCOVERY_S)
            floor, taken = [], []
            for index in range(_WARM_UP + self._messages):
                name = names[index % sensors]
                floor.append(self._time(name, there, back))
                taken.append(self._time(name, publishers[name], answered))
        return _summary(floor[_WARM_UP:]), _summary(taken[_WARM_UP:])

    def _arrivals(self, node: Node, message_class: type, topic: str) -> dict[int, float]:
        """When the first message of each stamp arrived."""
        arrived: dict[int, float] = {}

        def on_message(message: Any) -> None:
            arrived.setdefault(stamp_of(message), time.perf_counter())

        node.create_subscription(message_class, topic, on_message, QoSProfile(depth=10))
        return arrived

    def _time(self, sensor: str, publisher: Publisher, arrived: dict[int, float]) -> float:
        stamp = time.time_ns()
        message = bytes(serialise(encode_embedding(self._embedding(sensor, stamp)), CLOUD))
        begun = time.perf_counter()
        publisher.publish(message)
        time.sleep(self._interval)
        return (arrived[stamp] - begun) * 1e3 if stamp in arrived else np.nan

    def _embedding(self, sensor: str, stamp: int) -> Embedding:
        vector = self._centres[5] + 0.02 * self._rng.standard_normal(self._centres.shape[1])
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        return Embedding(sensor, SENSORS[sensor], vector, stamp, self._space, evidence=2.5)


class _process:  # noqa: N801
    """A child process for a while."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __enter__(self) -> None:
        self._child = subprocess.Popen(self._command)

    def __exit__(self, *exception: object) -> None:
        self._child.terminate()
        self._child.wait()


def _summary(milliseconds: list[float]) -> np.ndarray:
    lost = float(np.isnan(milliseconds).mean())
    if lost > 0.1:
        raise SystemExit(f"{lost:.0%} of the messages did not come back in time; is the machine busy?")
    return np.nanpercentile(milliseconds, [50, 95])


if __name__ == "__main__":
    main()
