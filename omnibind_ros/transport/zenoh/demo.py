"""The scripted robot without ROS 2, at a hub of its own, so that nothing else on the machine is disturbed."""

from __future__ import annotations

import os
import random
import socket
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from omnibind_ros.demo.script import SENSORS, Outcome, Scene, run_demo
from omnibind_ros.demo.witness import Witness
from omnibind_ros.messages.topics import CONTRIBUTIONS, RECOGNITION, embedding_topic
from omnibind_ros.monitor.table import Screen
from omnibind_ros.process.child import omnibind
from omnibind_ros.transport.zenoh import qos
from omnibind_ros.transport.zenoh.discovery import PublisherChange
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.session import Network
from omnibind_ros.transport.zenoh.subscription import MessageInfo
from omnibind_ros.transport.zenoh.watch import watch
from omnibind_ros.types import Modality

_ALONE = {"OMNIBIND_CONNECT": "", "OMNIBIND_LISTEN": "", "OMNIBIND_ZENOH_CONFIG": ""}


def run_standalone_demo(scene: Scene, screen: Screen, stop: threading.Event) -> Outcome:
    """Play the script with `omnibind` processes; see `run_demo`."""
    hub, domain = f"tcp/127.0.0.1:{_free_port()}", 100 + os.getpid() % 100
    robot = _OmniBindRobot(hub, domain)
    with Node("demo", domain=domain, network=Network(hub=hub)) as node:
        return run_demo(scene, robot, _witness(node), watch(node), screen, stop)


class _OmniBindRobot:
    def __init__(self, hub: str, domain: int) -> None:
        self.environment = {**_ALONE, "OMNIBIND_HUB": hub, "ROS_DOMAIN_ID": str(domain)}

    def fusion(self, bundle: str) -> Sequence[str]:
        return omnibind("fusion", "--bundle", bundle)

    def encoder(self, sensor: str, modality: Modality, topic: str, bundle: str) -> Sequence[str]:
        device = ("--sensor", sensor, "--modality", modality, "--topic", topic)
        return omnibind("encoder", *device, "--bundle", bundle)

    def driver(self, *play: object) -> Sequence[str]:
        return omnibind("play", *play)


def _witness(node: Node) -> Witness:
    """Hears everything on the node's subscriptions."""
    witness = Witness()

    def on_embedding(sensor: str, message: Any, info: MessageInfo) -> None:
        witness.embedding(sensor, message)

    def on_encoder(sensor: str, change: PublisherChange) -> None:
        witness.encoder(sensor, int(change.alive))

    def subscribe(topic: str, take: Any) -> None:
        # Fusion publishes both at every step, so the two of one step have the same number.
        node.subscribe(
            topic,
            "vision_msgs/msg/Classification",
            lambda message, info: take(info.sequence, message),
            qos=qos.Qos(depth=1),
            keep="all",
        )

    subscribe(RECOGNITION, witness.recognition)
    subscribe(CONTRIBUTIONS, witness.contributions)
    for sensor in SENSORS:
        node.subscribe(
            embedding_topic(sensor),
            "sensor_msgs/msg/PointCloud2",
            partial(on_embedding, sensor),
            qos=qos.EMBEDDING,
            keep="all",
        )
        node.discover(embedding_topic(sensor), partial(on_encoder, sensor))
    return witness


def _free_port() -> int:
    """A port nobody has, outside the range from which systems hand out ports."""
    while True:
        port = random.SystemRandom().randrange(15000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
