"""Everything that encoders say and do, as one row of events: who is there, what was sent, what was refused.

Every publisher of `omnibind/<sensor>/embedding` is found by its token and heard as it offers to be, so that
foreign encoders of other QoS take part too. Events are put from several threads; of a sensor whose encoder is
gone nothing more is put before its next `Encoders` event.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omnibind_ros.messages.topics import embedding_topic, sensor_of_embedding_topic
from omnibind_ros.transport.zenoh.discovery import PublisherChange
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.qos import Qos
from omnibind_ros.transport.zenoh.subscription import MessageInfo, Subscription

EMBEDDING_TYPE = "sensor_msgs/msg/PointCloud2"


@dataclass(frozen=True, eq=False)
class Heard:
    """A message of an encoder (a `sensor_msgs/PointCloud2`, not decoded yet)."""

    sensor: str
    message: Any


@dataclass(frozen=True)
class Refused:
    """A message that is not even a `sensor_msgs/PointCloud2`."""

    sensor: str
    reason: str


@dataclass(frozen=True)
class Encoders:
    """So many encoders publish under this name from now on."""

    sensor: str
    count: int


Event = Heard | Refused | Encoders


class EmbeddingFeed:
    """Puts an event for whatever happens, from its making to `close`."""

    def __init__(self, node: Node, put: Callable[[Event], None]) -> None:
        self._node = node
        self._put = put
        self._encoders: dict[str, set[bytes]] = {}
        self._subscriptions: dict[str, Subscription] = {}
        self._discovery = node.discover(embedding_topic("*"), self._on_change)

    def lost(self, sensor: str) -> int:
        """Messages of a sensor that were overtaken or never arrived, since its encoder came."""
        subscription = self._subscriptions.get(sensor)
        return subscription.counts.lost if subscription else 0

    def close(self) -> None:
        """Stop listening."""
        self._discovery.close()
        for subscription in self._subscriptions.values():
            subscription.close()

    def _on_change(self, change: PublisherChange) -> None:
        sensor = sensor_of_embedding_topic(change.endpoint.topic)
        if sensor is None:
            return
        if change.endpoint.type_name != EMBEDDING_TYPE:
            if change.alive:
                self._put(Refused(sensor, f"publishes {change.endpoint.type_name}, not {EMBEDDING_TYPE}"))
            return
        encoders = self._encoders.setdefault(sensor, set())
        (encoders.add if change.alive else encoders.discard)(change.gid)
        if not encoders:
            self._subscriptions.pop(sensor).close()
            del self._encoders[sensor]
        self._put(Encoders(sensor, len(encoders)))
        if encoders and sensor not in self._subscriptions:
            self._subscriptions[sensor] = self._subscribe(sensor, change.endpoint.qos)

    def _subscribe(self, sensor: str, offered: Qos) -> Subscription:
        def on_message(message: Any, info: MessageInfo) -> None:
            self._put(Heard(sensor, message))

        qos = Qos(reliability=offered.reliability, durability=offered.durability, depth=1)
        return self._node.subscribe(embedding_topic(sensor), EMBEDDING_TYPE, on_message, qos=qos)
