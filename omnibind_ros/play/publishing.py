"""Publishes raw samples on a topic as a driver would, over any transport."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from omnibind_ros.messages.types import TYPES
from omnibind_ros.play.player import play_samples, raw_topic
from omnibind_ros.transport.protocol import Transport
from omnibind_ros.transport.qos import SENSOR_DATA
from omnibind_ros.types import Modality


def play(
    transport: Transport,
    topic: str,
    modality: Modality,
    samples: Iterable[Any],
    stop: threading.Event,
    *,
    rate: float = 1.0,
    fault: str | None = None,
    seed: int | None = None,
) -> None:
    """Publish until the samples end or `stop` is set; see `play_samples`.

    Raises:
        ConfigError: a modality that cannot be played, or whose message package is not installed.
    """
    type_name, depth = raw_topic(modality)
    publisher = transport.publisher(topic, type_name, replace(SENSOR_DATA, depth=depth))
    publisher.wait_for_subscriber()
    play_samples(publisher.publish, TYPES, modality, samples, stop, rate=rate, fault=fault, seed=seed)
