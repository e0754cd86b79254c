"""A sensor's raw topic, in whichever accepted type its driver publishes it.

A driver may start late, stop, and come back as another one with another type (`Image` today,
`CompressedImage` tomorrow). The subscription exists before any driver does, so that the wiring shows in the
graph; it follows the type and the QoS of whatever publishes there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from omnibind_ros.errors import ConfigError
from omnibind_ros.transport.protocol import Counts, Offer, Subscription, Transport
from omnibind_ros.transport.qos import Qos, requested


class Driver:
    """Subscribes to a topic from its making to `close`.

    Args:
        topic: relative to the transport's namespace unless it starts with '/'.
        accepted: message types that can be read, the preferred one first.
        on_payload: called with a message as CDR, its type, and how many before it were lost.
        on_presence: called with True when a driver is there and False when none is any more; after a False no
            message comes before the next True.
        streams: messages must not be lost; else best effort is enough, and the newest wins.
        depth: messages that may wait in the transport.
    """

    def __init__(
        self,
        transport: Transport,
        topic: str,
        accepted: Sequence[str],
        on_payload: Callable[[bytes, str, int], None],
        on_presence: Callable[[bool], None],
        *,
        streams: bool,
        depth: int,
    ) -> None:
        self._transport = transport
        self._topic = topic
        self._accepted = accepted
        self._on_payload = on_payload
        self._on_presence = on_presence
        self._streams = streams
        self._depth = depth
        self.present = False
        """a driver that can be read is there"""
        self.problem = ""
        """why nothing is received although something is published; empty without such a reason"""
        self.warning = ""
        """what is wrong with the topic although messages are received"""
        self._past = Counts()
        self._subscription: Subscription | None = None
        self._type_name, self._qos = accepted[0], requested([], depth)
        self._subscribe()
        try:
            self._watch = transport.watch(topic, self._on_offers)
        except BaseException:
            self._unsubscribe()
            raise

    @property
    def lost(self) -> int:
        """Messages that never arrived, or were overtaken in the transport."""
        return self._past.lost + (self._subscription.counts.lost if self._subscription else 0)

    @property
    def malformed(self) -> int:
        """Messages that the transport could not take: not of the topic's type."""
        return self._past.malformed + (self._subscription.counts.malformed if self._subscription else 0)

    def close(self) -> None:
        """Unsubscribe; nothing is called any more."""
        self._watch.close()
        self._unsubscribe()

    def _on_offers(self, topic: str, offers: tuple[Offer, ...], alive: int) -> None:
        usable = [offer for offer in offers if offer.type_name in self._accepted]
        types = ", ".join(sorted({offer.type_name for offer in offers}))
        self.problem = self.warning = ""
        if offers and not usable:
            self.problem = f"{topic} carries {types}; this encoder reads {' or '.join(self._accepted)}"
        elif len(usable) > 1:
            self.warning = f"{len(usable)} publishers on {topic} mix their messages: give each its own topic"
        self._follow(usable)

    def _follow(self, usable: Sequence[Offer]) -> None:
        """Subscribe as the drivers offer."""
        types = [offer.type_name for offer in usable]
        if self.present and not types:
            # Closing the subscription discards what was delivered but not read yet.
            self._unsubscribe()
            self._turn(False)
            self._subscribe()
            return
        if not types:
            return
        type_name = self._type_name if self._type_name in types else types[0]
        qos = self._request([offer.qos for offer in usable if offer.type_name == type_name])
        changed = (type_name, qos) != (self._type_name, self._qos)
        if self.present and type_name != self._type_name:
            self._turn(False)
        if changed or self._subscription is None:
            self._unsubscribe()
            self._type_name, self._qos = type_name, qos
        self._turn(True)
        if self._subscription is None:
            self._subscribe()

    def _request(self, offers: Sequence[Qos]) -> Qos:
        """Streams and latched messages as well as they are offered; of a camera, the newest picture."""
        qos = requested(offers, self._depth)
        if not self._streams and qos.durability == "volatile":
            return Qos(reliability="best_effort", depth=self._depth)
        return qos

    def _turn(self, present: bool) -> None:
        if present != self.present:
            self.present = present
            self._on_presence(present)

    def _subscribe(self) -> None:
        type_name = self._type_name

        def receive(payload: bytes, lost: int) -> None:
            self._turn(True)  # a message may arrive before its publisher is reported
            self._on_payload(payload, type_name, lost)

        try:
            self._subscription = self._transport.subscribe_cdr(self._topic, type_name, receive, self._qos)
        except ConfigError as error:  # its message package is not installed
            self.problem = str(error)

    def _unsubscribe(self) -> None:
        if self._subscription is not None:
            self._subscription.close()
            counts = self._subscription.counts
            self._past.lost += counts.lost
            self._past.malformed += counts.malformed
            self._subscription = None
