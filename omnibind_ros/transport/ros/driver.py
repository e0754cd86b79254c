"""A sensor's raw topic, in whichever accepted type its driver publishes it.

A driver may come late, leave, and come back as another one with another type (`Image` today,
`CompressedImage` tomorrow). rclpy tells of no changes in the graph, so it is looked at 20 times a second. A
killed driver haunts the graph for ten seconds; its silence is noticed sooner, by the encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription

from omnibind_ros.errors import ConfigError
from omnibind_ros.transport.ros.events import subscribe
from omnibind_ros.transport.ros.qos import requested
from omnibind_ros.transport.ros.types import TYPES

_LOOK_PERIOD_S = 0.05


class Driver:
    """Subscribes to a topic as soon as one of the accepted types is published there.

    Args:
        topic: relative to the node's namespace unless it starts with '/'.
        accepted: message types that can be read.
        on_message: called with a message and how many before it were lost.
        on_presence: called with True when a driver is there and False when none is any more; after a False no
            message comes before the next True.
        streams: messages must not be lost; else a best-effort subscription is enough, and the newest wins.
        depth: of the subscription.
    """

    def __init__(
        self,
        node: Node,
        steady: Clock,
        topic: str,
        accepted: Sequence[str],
        on_message: Callable[[Any, int], None],
        on_presence: Callable[[bool], None],
        *,
        streams: bool,
        depth: int,
    ) -> None:
        self._node = node
        self._topic = node.resolve_topic_name(topic)
        self._accepted = accepted
        self._on_message = on_message
        self._on_presence = on_presence
        self._streams = streams
        self._depth = depth
        self.problem = ""
        """why nothing can be heard although somebody publishes; empty without such a reason"""
        self.lost = 0
        """messages that never arrived"""
        self._lost_before = 0
        self._not_installed: dict[str, str] = {}
        self._type_name = ""
        self._qos: QoSProfile | None = None
        self._subscription: Subscription | None = None
        self._timer = node.create_timer(_LOOK_PERIOD_S, self._look, clock=steady)
        self._look()

    def close(self) -> None:
        """Stop listening; nothing is called any more."""
        self._node.destroy_timer(self._timer)
        self._unsubscribe()

    def _look(self) -> None:
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        types = {p.topic_type for p in publishers}
        usable = [p for p in publishers if p.topic_type in self._accepted and self._class_of(p.topic_type)]
        self.problem = self._problem_with(types) if types and not usable else ""
        if self._subscription is not None and self._type_name not in types:
            self._unsubscribe()
            self._on_presence(False)
        if not usable:
            return
        type_name = self._type_name if self._subscription else usable[0].topic_type
        qos = self._request([p.qos_profile for p in usable if p.topic_type == type_name])
        if self._subscription is None or qos != self._qos:
            self._subscribe(type_name, qos)

    def _class_of(self, type_name: str) -> Any:
        try:
            return TYPES[type_name]
        except ConfigError as error:
            self._not_installed[type_name] = str(error)
            return None

    def _problem_with(self, types: set[str]) -> str:
        for type_name in types & self._not_installed.keys():
            return self._not_installed[type_name]
        wanted = " or ".join(self._accepted)
        return f"{self._topic} carries {', '.join(sorted(types))}; this encoder reads {wanted}"

    def _request(self, offers: Sequence[QoSProfile]) -> QoSProfile:
        """Streams and latched messages as well as they are offered; of a camera, the newest picture."""
        qos = requested(offers, self._depth)
        if not self._streams and qos.durability == DurabilityPolicy.VOLATILE:
            qos.reliability = ReliabilityPolicy.BEST_EFFORT
        return qos

    def _subscribe(self, type_name: str, qos: QoSProfile) -> None:
        is_new = self._subscription is None
        self._unsubscribe()
        self._type_name, self._qos = type_name, qos
        if is_new:
            self._on_presence(True)
        self._subscription, _ = subscribe(
            self._node, TYPES[type_name], self._topic, self._receive, qos, on_lost=self._on_lost
        )

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _receive(self, message: Any) -> None:
        lost, self._lost_before = self._lost_before, 0
        self._on_message(message, lost)

    def _on_lost(self, count: int) -> None:
        self.lost += count
        self._lost_before += count
