"""Plays raw samples as a driver of ROS 2 would."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from typing import Any

from rclpy.publisher import Publisher

from omnibind_ros.messages.cdr import serialise
from omnibind_ros.play.player import play_samples, raw_topic
from omnibind_ros.transport.ros.qos import sensor_qos
from omnibind_ros.transport.ros.session import ros_node
from omnibind_ros.transport.ros.types import TYPES
from omnibind_ros.types import Modality

_SUBSCRIBER_S = 0.2


def play_on_ros(
    topic: str,
    modality: Modality,
    samples: Iterable[Any],
    stop: threading.Event,
    *,
    namespace: str = "",
    domain: int | None = None,
    rate: float = 1.0,
    fault: str | None = None,
    seed: int | None = None,
) -> None:
    """Publish until the samples end or `stop` is set; see `play_samples`.

    Raises:
        ConfigError: a modality that cannot be played, or whose messages are not installed.
    """
    type_name, depth = raw_topic(modality)
    with ros_node(f"player_{modality}", namespace, domain) as node:
        publisher = node.create_publisher(TYPES[type_name], topic, sensor_qos(depth))
        _wait_for_subscriber(publisher)

        def publish(message: Any) -> None:
            publisher.publish(bytes(serialise(message, type_name)))

        play_samples(publish, modality, samples, stop, rate=rate, fault=fault, seed=seed)


def _wait_for_subscriber(publisher: Publisher) -> None:
    """What is sent before the others are known is lost; if nobody listens, nothing is."""
    until = time.monotonic() + _SUBSCRIBER_S
    while not publisher.get_subscription_count() and time.monotonic() < until:
        time.sleep(0.005)
