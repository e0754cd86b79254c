"""How long ROS 2 fusion takes from an embedding to its recognition, against the bare floor of two hops.

    source /opt/ros/<distro>/setup.bash
    python benchmarks/ros2_latency.py

Floor: this process publishes an embedding's PointCloud2, another rclpy process publishes it back. Fusion:
this process publishes embeddings as encoders do, `fusion_node` answers, and the recognition comes back here.
Both are two hops between two rclpy processes; what fusion takes longer is its own work.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from vision_msgs.msg import Classification

from omnibind_ros.core.embedding import Embedding
from omnibind_ros.fusion.open_hub import open_label_bank
from omnibind_ros.inference.bundle import Bundle
from omnibind_ros.messages.embedding_cloud import encode_embedding
from omnibind_ros.messages.stamps import stamp_of
from omnibind_ros.messages.topics import RECOGNITION, embedding_topic
from omnibind_ros.nodes.qos import embedding_qos
from omnibind_ros.nodes.session import ros_node
from omnibind_ros.nodes.types import TYPES

SENSORS = {
    "camera": "image",
    "microphone": "audio",
    "skin": "touch",
    "dvs": "event",
    "depth": "point_cloud",
    "thermal_camera": "thermal",
}
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
    parser.add_argument("--interval", type=float, default=0.03, help="seconds between embeddings")
    arguments = parser.parse_args()
    os.environ["ROS_DOMAIN_ID"] = str(40 + os.getpid() % 60)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    bench = Bench(arguments.messages, arguments.interval)
    floor = bench.floor()
    print(f"{'':28} {'median':>8} {'p95':>8}   of the floor")
    print(_line("two hops between processes", floor, floor))
    for sensors in (1, 3, 6):
        print(_line(f"fusion of {sensors} sensor{'s' if sensors > 1 else ''}", bench.fusion(sensors), floor))


class Bench:
    """Both measurements, on messages made of the same embeddings."""

    def __init__(self, messages: int, interval_s: float) -> None:
        self._messages = messages
        self._interval = interval_s
        bundle = Bundle.load("digits")
        self._space = bundle.space.tag
        self._centres = open_label_bank(bundle).class_centres
        self._rng = np.random.default_rng(0)

    def floor(self) -> np.ndarray:
        """Seconds there and back, through a process that does nothing else."""
        with _process([sys.executable, "-c", RELAY]), ros_node("bench") as node:
            there = node.create_publisher(PointCloud2, "there", QoSProfile(depth=1))
            return self._measure(node, PointCloud2, "back", [("camera", there.publish)])

    def fusion(self, count: int) -> np.ndarray:
        """Seconds from publishing an embedding to hearing the recognition it is part of."""
        command = [sys.executable, "-m", "omnibind_ros.nodes.fusion_node", "--ros-args"]
        command += ["-p", "max_rate_hz:=1000.0", "--log-level", "error"]
        with _process(command), ros_node("bench") as node:
            speakers = [
                (sensor, node.create_publisher(PointCloud2, embedding_topic(sensor), embedding_qos()).publish)
                for sensor in list(SENSORS)[:count]
            ]
            return self._measure(node, Classification, RECOGNITION, speakers)

    def _measure(
        self, node: Node, heard_type: type, topic: str, speakers: list[tuple[str, Callable[[Any], None]]]
    ) -> np.ndarray:
        """Publish in turns; pair what comes back by its stamp."""
        heard: dict[int, float] = {}
        qos = QoSProfile(depth=10)
        node.create_subscription(
            heard_type, topic, lambda m: heard.setdefault(stamp_of(m), time.perf_counter()), qos
        )
        taken, warm_up = [], 50
        for index in range(warm_up + self._messages):
            sensor, publish = speakers[index % len(speakers)]
            stamp = time.time_ns()
            message = encode_embedding(TYPES, self._embedding(sensor, stamp))
            begun = time.perf_counter()
            publish(message)
            time.sleep(self._interval)
            if stamp in heard and index >= warm_up:
                taken.append(heard[stamp] - begun)
        if len(taken) < 0.9 * self._messages:
            raise SystemExit(f"{topic}: only {len(taken)} of {self._messages} came back")
        return np.array(taken)

    def _embedding(self, sensor: str, stamp: int) -> Embedding:
        vector = self._centres[5] + 0.02 * self._rng.standard_normal(self._centres.shape[1])
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        return Embedding(sensor, SENSORS[sensor], vector, stamp, self._space, evidence=2.5)


class _process:  # noqa: N801
    """A child process for a while, given time to be discovered."""

    def __init__(self, command: list[str]) -> None:
        self._child = subprocess.Popen(command)

    def __enter__(self) -> None:
        time.sleep(4.0)

    def __exit__(self, *exception: object) -> None:
        self._child.terminate()
        self._child.wait()


def _line(what: str, seconds: np.ndarray, floor: np.ndarray) -> str:
    ms = np.percentile(seconds * 1e3, [50, 95])
    ratio = ms / np.percentile(floor * 1e3, [50, 95])
    return f"{what:28} {ms[0]:5.2f} ms {ms[1]:5.2f} ms   {ratio[0]:.2f} {ratio[1]:.2f}"


if __name__ == "__main__":
    main()
