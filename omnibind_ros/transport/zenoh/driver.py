"""A sensor's raw topic, in whichever accepted type its driver publishes it.

A driver may come late, leave, and come back as another one with another type (`Image` today,
`CompressedImage` tomorrow). Its liveliness token tells type and QoS before its first message.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from omnibind_ros.transport.zenoh.discovery import PublisherChange
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.qos import Qos
from omnibind_ros.transport.zenoh.subscription import Counts, OnMessage, Subscription
from omnibind_ros.transport.zenoh.wire import Endpoint


class Driver:
    """Subscribes to a topic as soon as one of the accepted types is published there.

    topic: relative to the node's namespace unless it starts with '/'.
    accepted: message types that can be read.
    on_message: called on the subscription's thread.
    on_presence: called with True when a driver is there and False when none is any more, on another thread;
        after a False no message comes before the next True.
    keep, depth: as in `Node.subscribe`.
    """

    def __init__(
        self,
        node: Node,
        topic: str,
        accepted: Sequence[str],
        on_message: OnMessage,
        on_presence: Callable[[bool], None],
        *,
        keep: Literal["newest", "all"],
        depth: int,
    ) -> None:
        self._node = node
        self._topic = topic
        self._accepted = accepted
        self._on_message = on_message
        self._on_presence = on_presence
        self._keep: Literal["newest", "all"] = keep
        self._depth = depth
        self.present = False
        """a driver that can be heard is there"""
        self._publishers: dict[bytes, Endpoint] = {}
        self._subscription: Subscription | None = None
        self._discovery = node.discover(topic, self._on_change)

    @property
    def problem(self) -> str:
        """Why nothing can be heard although somebody publishes; empty without such a reason."""
        types = {endpoint.type_name for endpoint in list(self._publishers.values())}
        if self.present or not types:
            return ""
        wanted = " or ".join(self._accepted)
        return f"{self._topic} carries {', '.join(sorted(types))}; this encoder reads {wanted}"

    @property
    def counts(self) -> Counts:
        """What the present subscription received and lost."""
        subscription = self._subscription
        return subscription.counts if subscription else Counts()

    def close(self) -> None:
        """Stop listening; nothing is called any more."""
        self._discovery.close()
        if self._subscription:
            self._subscription.close()

    def _on_change(self, change: PublisherChange) -> None:
        if change.alive:
            self._publishers[change.gid] = change.endpoint
        else:
            self._publishers.pop(change.gid, None)
        usable = [e for e in self._publishers.values() if e.type_name in self._accepted]
        types = [e.type_name for e in usable]
        if self._subscription and self._subscription.endpoint.type_name not in types:
            self._subscription.close()
            self._subscription = None
            self._turn(False)
        if usable and not self._subscription:
            self._turn(True)
            self._subscription = self._subscribe(usable[0])

    def _turn(self, present: bool) -> None:
        self.present = present
        self._on_presence(present)

    def _subscribe(self, driver: Endpoint) -> Subscription:
        offered = driver.qos
        qos = Qos(reliability=offered.reliability, durability=offered.durability, depth=self._depth)
        return self._node.subscribe(
            self._topic, driver.type_name, self._on_message, qos=qos, keep=self._keep, depth=self._depth
        )
