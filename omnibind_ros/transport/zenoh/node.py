"""A ROS 2 node without ROS 2: one Zenoh session that others see as a node of `rmw_zenoh`.

with Node("encoder_front_camera", namespace="/robot") as node:
    publisher = node.publisher("omnibind/front_camera/embedding", "sensor_msgs/msg/PointCloud2", EMBEDDING)
    node.subscribe("camera/image_raw", "sensor_msgs/msg/Image", on_image, qos=SENSOR_DATA)
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Literal

from omnibind_ros.errors import ConfigError, OmniBindError
from omnibind_ros.messages.cdr import deserialise, prepare, type_hash
from omnibind_ros.transport.protocol import OnOffers, OnPayload
from omnibind_ros.transport.qos import Qos
from omnibind_ros.transport.topic_names import full_namespace, full_topic
from omnibind_ros.transport.zenoh import wire
from omnibind_ros.transport.zenoh.alarms import Alarms, NodeAlarm
from omnibind_ros.transport.zenoh.callbacks import Callbacks, ErrorHook
from omnibind_ros.transport.zenoh.graph_watch import GraphWatch
from omnibind_ros.transport.zenoh.publisher import Publisher
from omnibind_ros.transport.zenoh.router_keeper import RouterKeeper
from omnibind_ros.transport.zenoh.session import Network, check_process, open_peer
from omnibind_ros.transport.zenoh.subscription import MessageInfo, Subscription

OnMessage = Callable[[Any, MessageInfo], None]

_log = logging.getLogger(__name__)


def _log_error(where: str, error: Exception) -> None:
    _log.error("%s: %s", where, error, exc_info=error)


class Node:
    """A node with publishers and subscriptions, and a `Transport`; closing it takes all from the graph.

    Callbacks are called one at a time, on threads of the node.

    name, namespace: as ROS 2 has them; topic names given to the node resolve under its namespace.
    domain: ROS domain (default: environment ROS_DOMAIN_ID, else 0).
    network: where the other processes are reached (default: this machine).
    humble: publish as ROS 2 Humble does (no type hashes), for robots that run it. Such
        publishers are always received.
    on_error: called with bad messages and exceptions of callbacks, which stop nothing (default: logs).

    Raises:
        ConfigError: a name or number is not valid.
        TransportError: the session cannot be opened.
    """

    def __init__(
        self,
        name: str,
        namespace: str = "/",
        domain: int | None = None,
        network: Network | None = None,
        *,
        humble: bool = False,
        on_error: ErrorHook = _log_error,
    ) -> None:
        self.namespace = full_namespace(namespace)
        self._domain = _checked_domain(os.environ.get("ROS_DOMAIN_ID") or 0 if domain is None else domain)
        self._humble = humble
        self._report = on_error
        self._entities: set[Publisher | Subscription | GraphWatch] = set()
        self._eids = itertools.count(1)
        self._callbacks = Callbacks()
        self._alarms = Alarms(self._callbacks, self.report_error)
        self._pid = os.getpid()
        self._closed = False
        full_namespace(name)

        network = network or Network()
        self._keeper = RouterKeeper(network)
        try:
            self._session = open_peer(network)
        except OmniBindError:
            self._keeper.close()
            raise
        self._keeper.watch(self._session)
        self.id = wire.NodeId(self._domain, str(self._session.zid()), 0, name, self.namespace)
        self._token = self._session.liveliness().declare_token(wire.node_token(self.id))
        # Worker threads blocked in Zenoh at interpreter exit would abort the process.
        atexit.register(self.close)

    @property
    def name(self) -> str:
        return self.id.name

    def now(self) -> int:
        """The system's time, ns since the epoch."""
        return time.time_ns()

    def full_name(self, topic: str) -> str:
        """A topic name resolved in the namespace.

        Raises:
            ConfigError: bad topic name.
        """
        return full_topic(topic, self.namespace, self.name)

    def publisher(self, topic: str, type_name: str, qos: Qos) -> Publisher:
        """A publisher of `topic`, seen by others until it is closed.

        Raises:
            ConfigError: bad topic name or unknown type.
        """
        check_process()
        publisher = Publisher(
            self._session, self._endpoint("MP", topic, type_name, qos), self._entities.discard
        )
        self._entities.add(publisher)
        return publisher

    def subscribe(
        self,
        topic: str,
        type_name: str,
        on_message: OnMessage,
        *,
        qos: Qos,
        keep: Literal["newest", "all"] = "newest",
        depth: int = 256,
    ) -> Subscription:
        """Call `on_message(message, info)` for messages of `topic`, decoded.

        Numeric arrays in a message are read-only views into the received payload.

        keep: "newest": a newer message replaces the one that waits. "all": up to `depth` messages wait, then
            the oldest is dropped. Either way the loss is counted.

        Raises:
            ConfigError: bad topic name or unknown type.
        """
        capacity = 1 if keep == "newest" else depth
        return self._subscribe(
            topic, type_name, partial(deserialise, type_name=type_name), on_message, qos, capacity
        )

    def subscribe_cdr(self, topic: str, type_name: str, on_payload: OnPayload, qos: Qos) -> Subscription:
        """See `Transport.subscribe_cdr`."""

        def on_message(payload: bytes, info: MessageInfo) -> None:
            on_payload(payload, info.lost)

        return self._subscribe(topic, type_name, _as_it_is, on_message, qos, qos.depth)

    def watch(self, pattern: str, on_offers: OnOffers) -> GraphWatch:
        """See `Transport.watch`.

        Raises:
            ConfigError: bad topic name.
        """
        check_process()
        full = full_topic(pattern, self.namespace, self.name, wildcards=True)
        found = GraphWatch(
            self._session,
            self._domain,
            full,
            on_offers,
            self._callbacks,
            self.report_error,
            self._entities.discard,
        )
        self._entities.add(found)
        return found

    def alarm(self, callback: Callable[[], None]) -> NodeAlarm:
        """See `Transport.alarm`."""
        return self._alarms.alarm(callback)

    def exclusive(self) -> Callbacks:
        """No callback of this node runs inside this context."""
        return self._callbacks

    @property
    def holds_router(self) -> bool:
        """Whether this process runs the router where processes of this machine meet."""
        return self._keeper.holds_router

    def close(self) -> None:
        """Take everything from the graph, stop all workers and close the session. Idempotent."""
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        atexit.unregister(self.close)
        self._alarms.close()
        for entity in list(self._entities):
            entity.close()
        self._callbacks.join_all()
        self._token.undeclare()
        self._session.close()
        self._keeper.close()

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _endpoint(self, kind: wire.Kind, topic: str, type_name: str, qos: Qos) -> wire.Endpoint:
        topic = full_topic(topic, self.namespace, self.name)
        prepare(type_name)
        hash_ = wire.NO_TYPE_HASH if self._humble and kind == "MP" else type_hash(type_name)
        return wire.Endpoint(self.id, next(self._eids), kind, topic, type_name, hash_, qos)

    def report_error(self, where: str, error: Exception) -> None:
        """Pass an error on to `on_error`. From any thread."""
        try:
            self._report(where, error)
        except Exception:
            _log.exception("the error hook itself failed")

    def _subscribe(
        self,
        topic: str,
        type_name: str,
        decode: Callable[[bytes], Any],
        on_message: OnMessage,
        qos: Qos,
        capacity: int,
    ) -> Subscription:
        check_process()
        subscription = Subscription(
            self._session,
            self._endpoint("MS", topic, type_name, qos),
            decode,
            on_message,
            capacity,
            self._callbacks,
            self.report_error,
            self._entities.discard,
        )
        self._entities.add(subscription)
        return subscription


def _as_it_is(payload: bytes) -> bytes:
    return payload


def _checked_domain(domain: int | str) -> int:
    if not str(domain).isdecimal() or int(domain) > 232:
        raise ConfigError(f"ROS domain {domain!r} (environment ROS_DOMAIN_ID?) is not a number from 0 to 232")
    return int(domain)
