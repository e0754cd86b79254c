"""Every encoder's embeddings in this namespace, whoever it is, and who is there.

rclpy tells of no changes in the graph, so it is looked at 20 times a second, and at a topic's publishers when
their number has changed or half a second has passed (one takes the place of another). A topic that is found
is subscribed to as it is offered, so that foreign best-effort encoders are heard too.

Who is alive is told by the liveliness of the publishers: a graceful end in 3 ms, a killed or stopped process
when its lease of 0.3 s ends, where the graph would keep it for ten seconds. Middleware without liveliness
events is believed what its graph says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from omnibind_ros.messages.topics import embedding_topic, sensor_of_embedding_topic
from omnibind_ros.transport.ros.events import subscribe
from omnibind_ros.transport.ros.qos import requested
from omnibind_ros.transport.ros.types import TYPES

EMBEDDING_TYPE = "sensor_msgs/msg/PointCloud2"

_LOOK_PERIOD_S = 0.05
_LOOKS_TO_TRUST = 10
_DEPTH = 1


@dataclass
class _Encoder:
    """A topic that is listened to."""

    subscription: Subscription
    qos: QoSProfile
    tells_alive: bool
    publishers: int
    looks_left: int = _LOOKS_TO_TRUST
    """before its publishers are looked at again although their number is the same"""


class EmbeddingFeed:
    """Calls back on the executor's thread from its making to `close`.

    Args:
        on_embedding: a sensor's `sensor_msgs/PointCloud2`.
        on_encoders: so many encoders of a sensor are there from now on.
        on_refused: what is published for a sensor cannot be an embedding, and why; told once.
    """

    def __init__(
        self,
        node: Node,
        steady: Clock,
        on_embedding: Callable[[str, Any], None],
        on_encoders: Callable[[str, int], None],
        on_refused: Callable[[str, str], None],
    ) -> None:
        self._node = node
        self._on_embedding = on_embedding
        self._on_encoders = on_encoders
        self._on_refused = on_refused
        self._encoders: dict[str, _Encoder] = {}
        self._refused: set[tuple[str, str]] = set()
        self._prefix = node.get_namespace().rstrip("/") + "/"
        self._timer = node.create_timer(_LOOK_PERIOD_S, self._look, clock=steady)
        self._look()

    def close(self) -> None:
        """Stop listening; nothing is called any more."""
        self._node.destroy_timer(self._timer)
        for encoder in self._encoders.values():
            self._node.destroy_subscription(encoder.subscription)
        self._encoders.clear()

    def _look(self) -> None:
        found = set()
        for topic, _ in self._node.get_topic_names_and_types():
            sensor = sensor_of_embedding_topic(topic)
            if sensor is not None and topic == self._prefix + embedding_topic(sensor):
                found.add(sensor)
                if not self._is_as_before(sensor, topic):
                    self._look_at(sensor, topic)
        for sensor in self._encoders.keys() - found:
            self._part(sensor)

    def _is_as_before(self, sensor: str, topic: str) -> bool:
        known = self._encoders.get(sensor)
        if known is None:
            return False
        known.looks_left -= 1
        return known.looks_left > 0 and self._node.count_publishers(topic) == known.publishers

    def _look_at(self, sensor: str, topic: str) -> None:
        publishers = self._node.get_publishers_info_by_topic(topic)
        for foreign in {p.topic_type for p in publishers} - {EMBEDDING_TYPE}:
            self._refuse(sensor, foreign)
        offers = [p.qos_profile for p in publishers if p.topic_type == EMBEDDING_TYPE]
        known = self._encoders.get(sensor)
        if not offers:
            if known is not None:
                self._part(sensor)
            return
        qos = requested(offers, _DEPTH)
        if known is None or known.qos != qos:
            known = self._listen(sensor, topic, qos)
        known.publishers, known.looks_left = len(publishers), _LOOKS_TO_TRUST
        if not known.tells_alive:
            self._on_encoders(sensor, len(offers))

    def _listen(self, sensor: str, topic: str, qos: QoSProfile) -> _Encoder:
        if sensor in self._encoders:
            self._node.destroy_subscription(self._encoders[sensor].subscription)
        subscription, tells_alive = subscribe(
            self._node,
            TYPES[EMBEDDING_TYPE],
            topic,
            partial(self._on_embedding, sensor),
            qos,
            on_alive=partial(self._on_encoders, sensor),
        )
        self._encoders[sensor] = _Encoder(subscription, qos, tells_alive, publishers=0)
        return self._encoders[sensor]

    def _part(self, sensor: str) -> None:
        self._node.destroy_subscription(self._encoders.pop(sensor).subscription)
        self._on_encoders(sensor, 0)

    def _refuse(self, sensor: str, type_name: str) -> None:
        if (sensor, type_name) not in self._refused:
            self._refused.add((sensor, type_name))
            self._on_refused(sensor, f"publishes {type_name}, not {EMBEDDING_TYPE}")
