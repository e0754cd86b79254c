"""Plays raw samples as a driver would, over Zenoh."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from omnibind_ros.play.player import play_samples, raw_topic
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.qos import SENSOR_DATA
from omnibind_ros.transport.zenoh.session import Network
from omnibind_ros.types import Modality


def play_on_zenoh(
    topic: str,
    modality: Modality,
    samples: Iterable[Any],
    stop: threading.Event,
    *,
    namespace: str = "",
    domain: int | None = None,
    network: Network | None = None,
    rate: float = 1.0,
    fault: str | None = None,
    seed: int | None = None,
) -> None:
    """Publish until the samples end or `stop` is set; see `play_samples`.

    Raises:
        ConfigError: a modality that cannot be played.
        TransportError: the network cannot be reached.
    """
    type_name, depth = raw_topic(modality)
    with Node(f"player_{modality}", namespace, domain, network) as node:
        publisher = node.publisher(topic, type_name, replace(SENSOR_DATA, depth=depth))
        publisher.wait_for_subscriber()
        play_samples(publisher.publish, modality, samples, stop, rate=rate, fault=fault, seed=seed)
