"""A subscription to one topic: a bounded channel and a worker thread of its own.

Zenoh puts messages into a ring of `capacity`; when it is full the oldest goes. A ring of 1 is "the newest
message wins" for single-shot signals; a deep ring, emptied at once, loses no chunk of a stream. Every loss,
wherever it happened, shows in the publisher's sequence numbers and is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import zenoh

from omnibind_ros.errors import BadMessage
from omnibind_ros.transport.protocol import Counts
from omnibind_ros.transport.zenoh import wire
from omnibind_ros.transport.zenoh.callbacks import Callbacks, ChannelWorker, ErrorHook

_PUBLISHERS_REMEMBERED = 64


@dataclass(frozen=True)
class MessageInfo:
    """What came with a message. `stamp_ns`: when it was sent; `lost`: messages missing just before it."""

    topic: str
    sequence: int
    stamp_ns: int
    gid: bytes
    lost: int


class Subscription:
    """Calls `on_message(decode(payload), info)`. Made by `Node.subscribe` and `Node.subscribe_cdr`."""

    def __init__(
        self,
        session: zenoh.Session,
        endpoint: wire.Endpoint,
        decode: Callable[[bytes], Any],
        on_message: Callable[[Any, MessageInfo], None],
        capacity: int,
        callbacks: Callbacks,
        on_error: ErrorHook,
        on_close: Callable[[Subscription], None],
    ) -> None:
        self.endpoint = endpoint
        self._decode = decode
        self._on_message = on_message
        self._on_error = on_error
        self._on_close = on_close
        self._counts = Counts()
        self._last_sequence: dict[bytes, int] = {}
        self._closed = False
        self._subscriber = self._declare(session, zenoh.handlers.RingChannel(capacity))
        self._token = session.liveliness().declare_token(wire.endpoint_token(endpoint))
        self._worker = ChannelWorker(
            callbacks, self._subscriber.handler, self._receive, name=f"topic {endpoint.topic}"
        )

    @property
    def counts(self) -> Counts:
        """The counts so far (a copy)."""
        return replace(self._counts)

    def close(self) -> None:
        """Leave the graph and stop the worker (after its present message). Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._token.undeclare()
        self._subscriber.undeclare()
        self._worker.join()
        self._on_close(self)

    def _declare(
        self, session: zenoh.Session, channel: zenoh.handlers.RingChannel[zenoh.Sample]
    ) -> zenoh.Subscriber[Any] | zenoh.ext.AdvancedSubscriber[Any]:
        endpoint, qos = self.endpoint, self.endpoint.qos
        # Any hash: Humble has none. What is no version of this type is refused on arrival.
        key = wire.data_key(endpoint.node.domain, endpoint.topic, endpoint.type_name, "*")
        if qos.durability == "volatile":
            return session.declare_subscriber(key, channel)
        return zenoh.ext.declare_advanced_subscriber(
            session,
            key,
            channel,
            history=zenoh.ext.HistoryConfig(detect_late_publishers=True, max_samples=qos.depth),
            recovery=zenoh.ext.RecoveryConfig(periodic_queries=None, heartbeat=True)
            if qos.reliability == "reliable"
            else None,
            subscriber_detection=True,
        )

    def _receive(self, sample: zenoh.Sample) -> None:
        if self._closed:
            return
        try:
            info = self._info(sample)
            message = self._decode(sample.payload.to_bytes())
        except BadMessage as error:
            self._counts.malformed += 1
            self._on_error(self.endpoint.topic, error)
            return
        self._counts.received += 1
        try:
            self._on_message(message, info)
        except Exception as error:
            self._counts.failed += 1
            self._on_error(self.endpoint.topic, error)

    def _info(self, sample: zenoh.Sample) -> MessageInfo:
        type_hash = str(sample.key_expr).rpartition("/")[2]
        if type_hash not in (self.endpoint.type_hash, wire.NO_TYPE_HASH):
            raise BadMessage(
                f"{self.endpoint.topic}: another version of {self.endpoint.type_name} is published there "
                f"({type_hash}, here {self.endpoint.type_hash}): use the same message package on both sides"
            )
        sent = wire.unpack_attachment(sample.attachment.to_bytes() if sample.attachment else b"")
        lost = self._lost_before(sent)
        self._counts.lost += lost
        return MessageInfo(self.endpoint.topic, sent.sequence, sent.stamp_ns, sent.gid, lost)

    def _lost_before(self, sent: wire.Attachment) -> int:
        last = self._last_sequence.pop(sent.gid, None)
        self._last_sequence[sent.gid] = sent.sequence
        if len(self._last_sequence) > _PUBLISHERS_REMEMBERED:
            del self._last_sequence[next(iter(self._last_sequence))]
        return 0 if last is None else max(0, sent.sequence - last - 1)
