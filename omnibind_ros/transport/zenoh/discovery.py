"""Who publishes a topic: publishers that appear and vanish, told by their liveliness tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import zenoh

from omnibind_ros.errors import BadMessage
from omnibind_ros.transport.zenoh import wire
from omnibind_ros.transport.zenoh.channel import ChannelWorker, ErrorHook

_CAPACITY = 1024


@dataclass(frozen=True)
class PublisherChange:
    """A publisher appeared (`alive`) or is gone; `gid` is the one its messages carry."""

    endpoint: wire.Endpoint
    gid: bytes
    alive: bool


OnChange = Callable[[PublisherChange], None]


class Discovery:
    """Calls `on_change` on its own thread, once a change, beginning with those already there.

    Made by `Node.discover`.
    """

    def __init__(
        self,
        session: zenoh.Session,
        domain: int,
        topic_pattern: str,
        on_change: OnChange,
        on_error: ErrorHook,
        on_close: Callable[[Discovery], None],
    ) -> None:
        self._topic_pattern = topic_pattern
        self._on_change = on_change
        self._on_error = on_error
        self._on_close = on_close
        self._alive: set[str] = set()
        self._closed = False
        self._subscriber = session.liveliness().declare_subscriber(
            wire.publishers_pattern(domain, topic_pattern),
            zenoh.handlers.FifoChannel(_CAPACITY),
            history=True,
        )
        self._worker = ChannelWorker(
            self._subscriber.handler, self._receive, name=f"discover {topic_pattern}"
        )

    def close(self) -> None:
        """Stop looking. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._subscriber.undeclare()
        self._worker.join()
        self._on_close(self)

    def _receive(self, sample: zenoh.Sample) -> None:
        token = str(sample.key_expr)
        alive = sample.kind == zenoh.SampleKind.PUT
        if self._closed or alive == (token in self._alive):
            return
        try:
            endpoint = wire.parse_token(token)
        except BadMessage as error:
            self._on_error(self._topic_pattern, error)
            return
        if not isinstance(endpoint, wire.Endpoint) or not wire.topic_matches(
            endpoint.topic, self._topic_pattern
        ):
            return
        (self._alive.add if alive else self._alive.discard)(token)
        try:
            self._on_change(PublisherChange(endpoint, wire.gid_of(token), alive))
        except Exception as error:
            self._on_error(self._topic_pattern, error)
