"""What a process needs of a transport: publish, subscribe, watch who publishes, an alarm, and the time.

Messages are CDR bytes on both sides, so a message costs nothing before it is decoded. A transport calls
back one call at a time, on threads of its own: code that only reacts to callbacks needs no lock. A callback
may raise: the error is reported, and the next call comes all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from omnibind_ros.errors import OmniBindError
from omnibind_ros.messages.cdr import deserialise
from omnibind_ros.transport.qos import Qos

Payload = bytes | bytearray | memoryview


class Offer(NamedTuple):
    """A publisher of a topic, as others see it."""

    type_name: str
    qos: Qos


@dataclass
class Counts:
    """Messages received; lost (replaced by newer ones, or never arrived); malformed; failed in the callback.

    DDS does not count messages that newer ones replaced while they waited."""

    received: int = 0
    lost: int = 0
    malformed: int = 0
    failed: int = 0


OnPayload = Callable[[bytes, int], None]
"""Called with a message as CDR, and how many before it were lost."""

OnOffers = Callable[[str, tuple[Offer, ...], int], None]
"""Called with a full topic name, its publishers, and how many of them are alive.

A transport may learn of a killed process sooner by its liveliness than by the list of publishers."""


class Publisher(Protocol):
    """Publishes on one topic; may be used from any thread. After `close` it does nothing."""

    @property
    def topic(self) -> str:
        """The full name of the topic, after remapping."""

    def publish(self, message: object) -> None:
        """Send a message of the topic's type.

        Raises:
            BadMessage: the message does not fit the type.
        """

    def publish_cdr(self, payload: Payload) -> None:
        """Send a message that is CDR of the topic's type already, its 4-byte header included."""

    def wait_for_subscriber(self, timeout_s: float = 0.2) -> bool:
        """Wait until the topic has a subscriber; False if it has none by then, or after `close`.

        Not from a callback.
        """

    def close(self) -> None:
        """Leave the graph. Idempotent."""


class Subscription(Protocol):
    """Calls back from its making to `close`."""

    @property
    def counts(self) -> Counts:
        """The counts so far (a copy)."""

    def close(self) -> None:
        """Leave the graph; nothing is called any more. Idempotent."""


class Watch(Protocol):
    """Calls back from its making to `close`."""

    def close(self) -> None:
        """Stop watching; nothing is called any more. Idempotent."""


class Alarm(Protocol):
    """Calls back once each time it is set."""

    def set(self, delay_s: float) -> None:
        """Call in `delay_s` seconds of the steady clock, 0 = as soon as possible; replaces an earlier time.

        From any thread.
        """

    def close(self) -> None:
        """Call no more. Idempotent."""


class Transport(Protocol):
    """A node in the graph: others see its name, its publishers and its subscriptions.

    Topic names are relative to its namespace unless they start with '/'.
    """

    @property
    def name(self) -> str: ...

    @property
    def namespace(self) -> str:
        """With a leading slash; "/" for none."""

    def now(self) -> int:
        """The time of stamps, ns since the epoch; 0 while it is not known (simulated time without a
        clock)."""

    def full_name(self, topic: str) -> str:
        """A topic name resolved in the namespace (`~/x`: under the node's name), without remapping.

        Raises:
            ConfigError: bad topic name.
        """

    def publisher(self, topic: str, type_name: str, qos: Qos) -> Publisher:
        """A publisher of `topic`, seen by others until it is closed.

        Raises:
            ConfigError: bad topic name, or a type that is not known or not installed.
        """

    def subscribe_cdr(self, topic: str, type_name: str, on_payload: OnPayload, qos: Qos) -> Subscription:
        """Call `on_payload` for messages of `topic`; up to `qos.depth` wait, then the oldest is dropped.

        Raises:
            ConfigError: bad topic name, or a type that is not known or not installed.
        """

    def watch(self, pattern: str, on_offers: OnOffers) -> Watch:
        """Call `on_offers` when publishers of a matching topic come, go or change; first for those there.

        Args:
            pattern: a topic name in which `*` stands for (a part of) one segment: `omnibind/*/embedding`.
        """

    def alarm(self, callback: Callable[[], None]) -> Alarm:
        """An alarm that calls `callback`; it is not set yet."""

    def exclusive(self) -> AbstractContextManager[object]:
        """No callback runs inside this context: for start, stop and changes from another thread.

        May be nested, also in a callback.
        """

    def report_error(self, where: str, error: Exception) -> None:
        """Log an error of a message or callback; `where` is a topic name. From any thread."""


def subscribe(
    transport: Transport, topic: str, type_name: str, on_message: Callable[[Any], None], qos: Qos
) -> Subscription:
    """Like `Transport.subscribe_cdr`, with decoded messages; what is malformed is reported as an error."""

    def on_payload(payload: bytes, lost: int) -> None:
        try:
            on_message(deserialise(payload, type_name))
        except OmniBindError as error:
            transport.report_error(topic, error)

    return transport.subscribe_cdr(topic, type_name, on_payload, qos)
