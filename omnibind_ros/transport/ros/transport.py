"""The transport of a ROS 2 node: rclpy's publishers and subscriptions, with serialised messages.

Callbacks run on the node's executor; a lock keeps them and `exclusive` sections of other threads apart. The
steady clock drives alarms: ROS timers stand still under `use_sim_time` without a /clock.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
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
from omnibind_ros.transport.topic_names import full_topic

_SHORTEST_S, _LONGEST_S = 1e-4, 1e9

_log = logging.getLogger(__name__)


class RosTransport:
    """A node as a `Transport`. It is closed by destroying the node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._turn = threading.RLock()
        self._graph = GraphWatch(node, self._turn, self.alarm)
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
        """See `Transport.full_name`."""
        return full_topic(topic, self.namespace, self.name)

    def publisher(self, topic: str, type_name: str, qos: Qos) -> RosPublisher:
        """See `Transport.publisher`."""
        self.full_name(topic)
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
        self.full_name(topic)
        return RosSubscription(self, self._graph, topic, type_name, on_payload, qos)

    def watch(self, pattern: str, on_offers: OnOffers) -> RosWatch:
        """See `Transport.watch`. The graph is polled; liveliness events are passed on at once."""
        full = full_topic(pattern, self.namespace, self.name, wildcards=True)
        if "*" not in pattern:  # remapping applies to whole names only
            full = str(self.node.resolve_topic_name(pattern))
        return RosWatch(self._graph, full, self.in_turn(pattern, on_offers))

    def alarm(self, callback: Callable[[], None]) -> RosAlarm:
        """See `Transport.alarm`."""
        return RosAlarm(self.node, self.in_turn("alarm", callback))

    def exclusive(self) -> AbstractContextManager[object]:
        """No callback of this transport runs inside this context."""
        return self._turn

    def report_error(self, where: str, error: Exception) -> None:
        """Log an error, at most once in a while for each place."""
        self._errors.warning(where, f"{where}: {type(error).__name__}: {error}")

    def in_turn(self, where: str, callback: Callable[..., None]) -> Callable[..., None]:
        """The callback, alone of its kind; what it raises is reported and not passed on."""

        def guarded(*arguments: object) -> None:
            with self._turn:
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
        self._lock = threading.Lock()
        self.topic = str(publisher.topic_name)

    def publish(self, message: object) -> None:
        self.publish_cdr(serialise(message, self._type_name))

    def publish_cdr(self, payload: Payload) -> None:
        with self._lock:
            if self._publisher is not None:
                self._publisher.publish(bytes(payload))

    def wait_for_subscriber(self, timeout_s: float = 0.2) -> bool:
        until = time.monotonic() + timeout_s
        while not self._has_subscriber():
            if time.monotonic() > until:
                return False
            time.sleep(0.005)
        return True

    def close(self) -> None:
        with self._lock:
            publisher, self._publisher = self._publisher, None
        if publisher is not None:
            self._node.destroy_publisher(publisher)

    def _has_subscriber(self) -> bool:
        with self._lock:
            return self._publisher is not None and self._publisher.get_subscription_count() > 0


class RosSubscription:
    """See `transport.protocol.Subscription`."""

    def __init__(
        self,
        transport: RosTransport,
        graph: GraphWatch,
        topic: str,
        type_name: str,
        on_payload: OnPayload,
        qos: Qos,
    ) -> None:
        self._transport = transport
        self._graph = graph
        self._on_payload = on_payload
        self._counts = Counts()
        self._lost_before = 0
        self._topic = str(transport.node.resolve_topic_name(topic))
        with transport.exclusive():
            self._subscription: Subscription | None = subscribe(
                transport.node,
                message_class(type_name),
                topic,
                transport.in_turn(self._topic, self._receive),
                to_profile(qos),
                on_alive=partial(graph.note_alive, self._topic),
                on_lost=transport.in_turn(self._topic, self._note_lost),
            )

    @property
    def counts(self) -> Counts:
        return replace(self._counts)

    def close(self) -> None:
        with self._transport.exclusive():
            subscription, self._subscription = self._subscription, None
            if subscription is not None:
                self._graph.forget_alive(self._topic)
                self._transport.node.destroy_subscription(subscription)

    def _receive(self, payload: bytes) -> None:
        if self._subscription is None:
            return
        lost, self._lost_before = self._lost_before, 0
        self._counts.received += 1
        try:
            self._on_payload(payload, lost)
        except Exception:
            self._counts.failed += 1
            raise

    def _note_lost(self, count: int) -> None:
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
    """See `transport.protocol.Alarm`. When it is due is kept here: rclpy's timer only wakes the executor."""

    def __init__(self, node: Node, callback: Callable[[], None]) -> None:
        self._node = node
        self._callback = callback
        self._lock = threading.Lock()
        self._due: float | None = None
        self._closed = False
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_LONGEST_S, self._on_timer, clock=steady)
        self._timer.cancel()

    def set(self, delay_s: float) -> None:
        with self._lock:
            if self._closed:
                return
            self._due = time.monotonic() + delay_s
            self._wake_in(delay_s)
        # The executor may be asleep, and for longer than this.
        if self._node.executor is not None:
            self._node.executor.wake()

    def close(self) -> None:
        with self._lock:
            if self._closed:
                return
            self._closed, self._due = True, None
        self._node.destroy_timer(self._timer)

    def _on_timer(self) -> None:
        with self._lock:
            if self._due is None:
                return
            early = self._due - time.monotonic()
            if early > 0:
                self._wake_in(early)
                return
            self._due = None
            self._timer.cancel()
        self._callback()

    def _wake_in(self, delay_s: float) -> None:
        self._timer.timer_period_ns = round(min(max(delay_s, _SHORTEST_S), _LONGEST_S) * 1e9)
        self._timer.reset()
