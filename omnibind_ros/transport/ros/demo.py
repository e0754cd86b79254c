"""The scripted robot with ROS 2 nodes, in a domain of its own, so that no other robot is disturbed."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from vision_msgs.msg import Classification

from omnibind_ros.demo.script import SENSORS, Outcome, Scene, run_demo
from omnibind_ros.demo.witness import Witness
from omnibind_ros.messages.stamps import stamp_of
from omnibind_ros.messages.topics import CONTRIBUTIONS, RECOGNITION, embedding_topic
from omnibind_ros.monitor.table import Screen
from omnibind_ros.process.child import omnibind, run_main
from omnibind_ros.transport.ros.embedding_feed import EMBEDDING_TYPE
from omnibind_ros.transport.ros.events import subscribe
from omnibind_ros.transport.ros.session import ros_node
from omnibind_ros.transport.ros.types import TYPES
from omnibind_ros.transport.ros.watch import watch
from omnibind_ros.types import Modality

_DEEP = 100


def run_ros_demo(scene: Scene, screen: Screen, stop: threading.Event) -> Outcome:
    """Play the script with ROS 2 nodes; see `run_demo`."""
    robot = _NodeRobot(40 + os.getpid() % 60)
    os.environ.update(robot.environment)  # for the node below, too
    with ros_node("demo") as node:
        return run_demo(scene, robot, _witness(node), watch(node), screen, stop)


class _NodeRobot:
    def __init__(self, domain: int) -> None:
        on_this_machine = {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
        if os.environ.get("ROS_DISTRO") == "humble":
            on_this_machine = {"ROS_LOCALHOST_ONLY": "1"}
        self.environment: Mapping[str, str] = {**on_this_machine, "ROS_DOMAIN_ID": str(domain)}

    def fusion(self, bundle: str) -> Sequence[str]:
        return _node("fusion_node", {"bundle": bundle})

    def encoder(self, sensor: str, modality: Modality, topic: str, bundle: str) -> Sequence[str]:
        device = {"sensor": sensor, "modality": modality, "topic": topic, "bundle": bundle}
        return _node("encoder_node", device)

    def driver(self, *play: object) -> Sequence[str]:
        return omnibind("play", "--ros", *play)


def _node(executable: str, parameters: Mapping[str, str]) -> Sequence[str]:
    given = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    quiet = ("--log-level", "warn")
    return run_main(f"omnibind_ros.transport.ros.{executable}", "--ros-args", *given, *quiet)


def _witness(node: Node) -> Witness:
    """Hears everything on the node's subscriptions."""
    witness = Witness()

    def by_step(take: Callable[[Hashable, Any], None]) -> Callable[[Any], None]:
        # Both messages of a step have its stamp, and a stamp is repeated while nothing new arrives.
        seen: Counter[int] = Counter()

        def on_message(message: Any) -> None:
            stamp = stamp_of(message)
            seen[stamp] += 1
            take((stamp, seen[stamp]), message)

        return on_message

    for topic, take in ((RECOGNITION, witness.recognition), (CONTRIBUTIONS, witness.contributions)):
        node.create_subscription(Classification, topic, by_step(take), QoSProfile(depth=_DEEP))
    latched = QoSProfile(depth=_DEEP, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    for sensor in SENSORS:
        subscribe(
            node,
            TYPES[EMBEDDING_TYPE],
            embedding_topic(sensor),
            partial(witness.embedding, sensor),
            latched,
            on_alive=partial(witness.encoder, sensor),
        )
    return witness
