"""The transport of a ROS 2 node: rclpy's publishers and subscriptions, with serialised messages.

Callbacks run on the node's executor. The steady clock drives alarms and the look at the graph: ROS timers
stand still under `use_sim_time` without a /clock.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.subscription import Subscription

from omnibind_ros.messages.cdr import serialise
from omnibind_ros.process.throttled_log import ThrottledLog
from omnibind_ros.transport.protocol import Counts, OnOffers, OnPayload, Payload
from omnibind_ros.transport.qos import Qos
from omnibind_ros.transport.ros.events import NO_EVENTS, subscribe
from omnibind_ros.transport.ros.graph_watch import GraphWatch
from omnibind_ros.transport.ros.message_classes import message_class
from omnibind_ros.transport.ros.qos import OVERRIDABLE, to_profile

_SHORTEST_NS = 100_000
_NEVER_NS = 1 << 60

_log = logging.getLogger(__name__)


class RosTransport:
    """A node as a `Transport`. Use it on the thread of the node's executor, or while nothing spins it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._graph = GraphWatch(node, self.steady, self._guarded)
        self._errors = ThrottledLog(_log)

    @property
    def name(self) -> str:
        return str(self.node.get_name())

    @property
    def namespace(self) -> str:
        return str(self.node.get_namespace())

    def now(self) -> int:
        """ROS time, ns since the epoch; 0 while there is none."""
        return int(self.node.get_clock().now().nanoseconds)

    def full_name(self, topic: str) -> str:
        """A topic name resolved in the namespace, without remapping."""
        return topic if topic.startswith("/") else f"{self.namespace.rstrip('/')}/{topic}"

    def publisher(self, topic: str, type_name: str, qos: Qos) -> RosPublisher:
        """See `Transport.publisher`."""
        publisher = self.node.create_publisher(
            message_class(type_name),
            topic,
            to_profile(qos),
            event_callbacks=NO_EVENTS,
            qos_overriding_options=None if topic.startswith("/") else OVERRIDABLE,
        )
        return RosPublisher(self.node, publisher, type_name)

    def subscribe_cdr(self, topic: str, type_name: str, on_payload: OnPayload, qos: Qos) -> RosSubscription:
        """See `Transport.subscribe_cdr`."""
        return RosSubscription(
            self.node, self._graph, topic, type_name, self._guarded(topic, on_payload), qos
        )

    def watch(self, pattern: str, on_offers: OnOffers) -> RosWatch:
        """See `Transport.watch`. The graph is polled, and liveliness noticed at once."""
        # Remapping applies to whole names only.
        resolved = self.full_name(pattern) if "*" in pattern else self.node.resolve_topic_name(pattern)
        return RosWatch(self._graph, resolved, on_offers)

    def alarm(self, callback: Callable[[], None]) -> RosAlarm:
        """See `Transport.alarm`."""
        return RosAlarm(self.node, self.steady, self._guarded("alarm", callback))

    def exclusive(self) -> AbstractContextManager[object]:
        """Nothing to do: an executor calls back one at a time, and callers are on its thread."""
        return nullcontext()

    def report_error(self, where: str, error: Exception) -> None:
        """Log an error, at most once in a while for each place."""
        self._errors.warning(where, f"{where}: {type(error).__name__}: {error}")

    def close(self) -> None:
        """Stop looking at the graph."""
        self._graph.close()

    def _guarded(self, where: str, callback: Callable[..., None]) -> Callable[..., None]:
        """The callback, of which no exception reaches the executor."""

        def guarded(*arguments: object) -> None:
            try:
                callback(*arguments)
            except Exception as error:
                self.report_error(where, error)

        return guarded


class RosPublisher:
    """See `transport.protocol.Publisher`."""

    def __init__(self, node: Node, publisher: Publisher, type_name: str) -> None:
        self._node = node
        self._publisher: Publisher | None = publisher
        self._type_name = type_name
        self.topic = str(publisher.topic_name)

    def publish(self, message: object) -> None:
        self.publish_cdr(serialise(message, self._type_name))

    def publish_cdr(self, payload: Payload) -> None:
        publisher = self._publisher
        if publisher is not None:
            publisher.publish(bytes(payload))

    def wait_for_subscriber(self, timeout_s: float = 0.2) -> bool:
        until = time.monotonic() + timeout_s
        while self._publisher is not None and not self._publisher.get_subscription_count():
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return self._publisher is not None

    def close(self) -> None:
        publisher, self._publisher = self._publisher, None
        if publisher is not None:
            self._node.destroy_publisher(publisher)


class RosSubscription:
    """See `transport.protocol.Subscription`."""

    def __init__(
        self, node: Node, graph: GraphWatch, topic: str, type_name: str, on_payload: OnPayload, qos: Qos
    ) -> None:
        self._node = node
        self._graph = graph
        self._on_payload = on_payload
        self._counts = Counts()
        self._lost_before = 0
        self._topic = str(node.resolve_topic_name(topic))
        self._subscription: Subscription | None = subscribe(
            node,
            message_class(type_name),
            topic,
            self._receive,
            to_profile(qos),
            on_alive=partial(graph.note_alive, self._topic),
            on_lost=self._on_lost,
        )

    @property
    def counts(self) -> Counts:
        return replace(self._counts)

    def close(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            self._graph.forget_alive(self._topic)
            self._node.destroy_subscription(subscription)

    def _receive(self, payload: bytes) -> None:
        if self._subscription is None:
            return
        lost, self._lost_before = self._lost_before, 0
        self._counts.received += 1
        self._on_payload(payload, lost)

    def _on_lost(self, count: int) -> None:
        self._counts.lost += count
        self._lost_before += count


class RosWatch:
    """See `transport.protocol.Watch`."""

    def __init__(self, graph: GraphWatch, pattern: str, on_offers: OnOffers) -> None:
        self._graph = graph
        self._key = graph.add(pattern, on_offers)

    def close(self) -> None:
        self._graph.remove(self._key)


class RosAlarm:
    """See `transport.protocol.Alarm`."""

    def __init__(self, node: Node, steady: Clock, callback: Callable[[], None]) -> None:
        self._node = node
        self._callback = callback
        self._closed = False
        self._timer = node.create_timer(_NEVER_NS / 1e9, self._ring, clock=steady)
        self._timer.cancel()
        # A timer that another thread sets would not wake the executor.
        self._at_once = node.create_guard_condition(self._ring)

    def set(self, delay_s: float) -> None:
        if self._closed:
            return
        if delay_s <= 0:
            self._at_once.trigger()
            return
        self._timer.timer_period_ns = max(_SHORTEST_NS, round(min(delay_s, 1e9) * 1e9))
        self._timer.reset()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._node.destroy_timer(self._timer)
            self._node.destroy_guard_condition(self._at_once)

    def _ring(self) -> None:
        if not self._closed:
            self._timer.cancel()
            self._callback()
