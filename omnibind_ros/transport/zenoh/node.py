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
from types import TracebackType
from typing import Literal

from omnibind_ros.errors import ConfigError, OmniBindError
from omnibind_ros.messages.cdr import prepare, type_hash
from omnibind_ros.transport.zenoh import wire
from omnibind_ros.transport.zenoh.channel import ErrorHook
from omnibind_ros.transport.zenoh.discovery import Discovery, OnChange
from omnibind_ros.transport.zenoh.hub_keeper import HubKeeper
from omnibind_ros.transport.zenoh.publisher import Publisher
from omnibind_ros.transport.zenoh.qos import Qos
from omnibind_ros.transport.zenoh.session import Network, check_process, open_peer
from omnibind_ros.transport.zenoh.subscription import OnMessage, Subscription

_log = logging.getLogger(__name__)


def _log_error(where: str, error: Exception) -> None:
    _log.error("%s: %s", where, error, exc_info=error)


class Node:
    """A node with publishers, subscriptions and discoveries; closing it takes them all from the graph.

    name, namespace: as ROS 2 has them; topic names given to the node resolve under its namespace.
    domain: ROS domain (default: environment ROS_DOMAIN_ID, else 0).
    network: where the other processes are reached (default: this machine).
    humble: publish as ROS 2 Humble does (no type hashes), for robots that run it. It is always heard.
    on_error: told of bad messages and of exceptions in callbacks; neither stops a worker (default: logs).

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
        self.namespace = wire.full_namespace(namespace)
        self._domain = _checked_domain(os.environ.get("ROS_DOMAIN_ID") or 0 if domain is None else domain)
        self._humble = humble
        self._report = on_error
        self._entities: set[Publisher | Subscription | Discovery] = set()
        self._eids = itertools.count(1)
        self._pid = os.getpid()
        self._closed = False
        wire.full_namespace(name)

        network = network or Network()
        self._keeper = HubKeeper(network)
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

    def publisher(self, topic: str, type_name: str, qos: Qos) -> Publisher:
        """A publisher of `topic`, seen by others from now on until it is closed.

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
        """Call `on_message(message, info)` on a worker thread for messages of `topic`.

        keep: "newest": a newer message replaces the one that waits. "all": up to `depth` messages wait, then
            the oldest is dropped. Either way the loss is counted.

        Raises:
            ConfigError: bad topic name or unknown type.
        """
        check_process()
        subscription = Subscription(
            self._session,
            self._endpoint("MS", topic, type_name, qos),
            on_message,
            1 if keep == "newest" else depth,
            self._on_error,
            self._entities.discard,
        )
        self._entities.add(subscription)
        return subscription

    def discover(self, topic_pattern: str, on_change: OnChange) -> Discovery:
        """Call `on_change(change)` on a worker thread when a publisher of a matching topic comes or goes.

        Those already there come first.

        topic_pattern: a topic name in which `*` stands for (a part of) one segment: `omnibind/*/embedding`.

        Raises:
            ConfigError: bad topic name.
        """
        check_process()
        pattern = wire.full_topic(topic_pattern, self.namespace, wildcards=True)
        discovery = Discovery(
            self._session, self._domain, pattern, on_change, self._on_error, self._entities.discard
        )
        self._entities.add(discovery)
        return discovery

    @property
    def holds_hub(self) -> bool:
        """Whether this process holds the hub where processes of this machine meet."""
        return self._keeper.holds_hub

    def close(self) -> None:
        """Take everything from the graph, stop all workers and close the session. Idempotent."""
        if self._closed or os.getpid() != self._pid:
            return
        self._closed = True
        atexit.unregister(self.close)
        for entity in list(self._entities):
            entity.close()
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
        topic = wire.full_topic(topic, self.namespace)
        prepare(type_name)
        hash_ = wire.NO_TYPE_HASH if self._humble and kind == "MP" else type_hash(type_name)
        return wire.Endpoint(self.id, next(self._eids), kind, topic, type_name, hash_, qos)

    def _on_error(self, where: str, error: Exception) -> None:
        try:
            self._report(where, error)
        except Exception:
            _log.exception("the error hook itself failed")


def _checked_domain(domain: int | str) -> int:
    if not str(domain).isdecimal() or int(domain) > 232:
        raise ConfigError(f"ROS domain {domain!r} (environment ROS_DOMAIN_ID?) is not a number from 0 to 232")
    return int(domain)
