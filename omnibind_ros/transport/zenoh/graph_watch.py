"""Who publishes a topic: publishers that appear and vanish, known by their liveliness tokens.

A token vanishes with its process, so every publisher that is known is alive.
"""

from __future__ import annotations

from collections.abc import Callable

import zenoh

from omnibind_ros.transport.protocol import Offer, OnOffers
from omnibind_ros.transport.topic_names import topic_matches
from omnibind_ros.transport.zenoh import wire
from omnibind_ros.transport.zenoh.callbacks import Callbacks, ChannelWorker, ErrorHook

_CAPACITY = 1024


class GraphWatch:
    """Calls `on_offers` whenever a publisher of a matching topic comes or goes. Made by `Node.watch`."""

    def __init__(
        self,
        session: zenoh.Session,
        domain: int,
        topic_pattern: str,
        on_offers: OnOffers,
        callbacks: Callbacks,
        on_error: ErrorHook,
        on_close: Callable[[GraphWatch], None],
    ) -> None:
        self._topic_pattern = topic_pattern
        self._on_offers = on_offers
        self._on_error = on_error
        self._on_close = on_close
        self._offers: dict[str, dict[str, Offer]] = {}
        """by topic and token"""
        self._closed = False
        self._subscriber = session.liveliness().declare_subscriber(
            wire.publishers_pattern(domain, topic_pattern),
            zenoh.handlers.FifoChannel(_CAPACITY),
            history=True,
        )
        self._worker = ChannelWorker(
            callbacks, self._subscriber.handler, self._receive, name=f"watch {topic_pattern}"
        )

    def close(self) -> None:
        """Stop watching. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._subscriber.undeclare()
        self._worker.join()
        self._on_close(self)

    def _receive(self, sample: zenoh.Sample) -> None:
        if self._closed:
            return
        try:
            self._note(str(sample.key_expr), alive=sample.kind == zenoh.SampleKind.PUT)
        except Exception as error:
            self._on_error(self._topic_pattern, error)

    def _note(self, token: str, *, alive: bool) -> None:
        endpoint = _publisher(token)
        if endpoint is None or not topic_matches(endpoint.topic, self._topic_pattern):
            return
        known = self._offers.setdefault(endpoint.topic, {})
        if alive == (token in known):
            return
        if alive:
            known[token] = Offer(endpoint.type_name, endpoint.qos)
        else:
            del known[token]
        if not known:
            del self._offers[endpoint.topic]
        self._on_offers(endpoint.topic, tuple(known.values()), len(known))


def _publisher(token: str) -> wire.Endpoint | None:
    """The publisher that a token stands for.

    Raises:
        BadMessage: not a token of this format.
    """
    endpoint = wire.parse_token(token)
    return endpoint if isinstance(endpoint, wire.Endpoint) else None
