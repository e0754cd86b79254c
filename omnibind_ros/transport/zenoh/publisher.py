"""A publisher of one topic."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import zenoh

from omnibind_ros.messages.cdr import serialise
from omnibind_ros.transport.protocol import Payload
from omnibind_ros.transport.zenoh import wire
from omnibind_ros.transport.zenoh.session import check_process

_HEARTBEAT_S = 0.5


class Publisher:
    """Publishes messages of one type on one topic. Made by `Node.publisher`; may be used from any thread."""

    def __init__(
        self, session: zenoh.Session, endpoint: wire.Endpoint, on_close: Callable[[Publisher], None]
    ) -> None:
        self.endpoint = endpoint
        self._session = session
        self._on_close = on_close
        self._key = wire.data_key(
            endpoint.node.domain, endpoint.topic, endpoint.type_name, endpoint.type_hash
        )
        self._lock = threading.Lock()
        self._sequence = 0
        self._closed = False
        self._publisher = self._declare()
        token = wire.endpoint_token(endpoint)
        self._gid = wire.gid_of(token)
        self._token = session.liveliness().declare_token(token)

    @property
    def topic(self) -> str:
        """The full name of the topic."""
        return self.endpoint.topic

    def publish(self, message: object) -> None:
        """Send a message (any object with the fields of the topic's type). After `close` it does nothing.

        Raises:
            BadMessage: the message does not fit the type.
            TransportError: called in a forked child.
        """
        self.publish_cdr(serialise(message, self.endpoint.type_name))

    def publish_cdr(self, payload: Payload) -> None:
        """Send a message that is CDR of the topic's type already, its 4-byte header included.

        After `close` it does nothing.

        Raises:
            TransportError: called in a forked child.
        """
        check_process()
        with self._lock:
            if self._closed:
                return
            self._sequence += 1
            attachment = wire.Attachment(self._sequence, time.time_ns(), self._gid)
            self._publisher.put(
                bytes(payload) if isinstance(payload, memoryview) else payload,
                attachment=wire.pack_attachment(attachment),
            )

    def wait_for_subscriber(self, timeout_s: float = 0.2) -> bool:
        """Wait until the topic has a subscriber; False if it has none by then. Not from a callback.

        The first message after start-up is lost if it is sent before the others are known.
        """
        deadline = time.monotonic() + timeout_s
        if self._closed:
            return False
        # An advanced publisher cannot tell, a plain one of the same key can.
        with self._session.declare_publisher(self._key) as probe:
            while not probe.matching_status.matching:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.002)
            return True

    def close(self) -> None:
        """Leave the graph. Idempotent."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._token.undeclare()
        self._publisher.undeclare()
        self._on_close(self)

    def _declare(self) -> zenoh.Publisher | zenoh.ext.AdvancedPublisher:
        qos = self.endpoint.qos
        reliable = qos.reliability == "reliable"
        # As rmw_zenoh: a full link drops messages, so that a slow subscriber does not block the publisher.
        blocking = reliable and qos.history == "keep_all"
        congestion = zenoh.CongestionControl.BLOCK if blocking else zenoh.CongestionControl.DROP
        if qos.durability == "volatile":
            return self._session.declare_publisher(self._key, congestion_control=congestion)
        return zenoh.ext.declare_advanced_publisher(
            self._session,
            self._key,
            congestion_control=congestion,
            cache=zenoh.ext.CacheConfig(qos.depth),
            publisher_detection=True,
            sample_miss_detection=zenoh.ext.MissDetectionConfig(
                heartbeat=None, sporadic_heartbeat=_HEARTBEAT_S
            )
            if reliable
            else None,
        )
