"""Who publishes which topic, by polling the graph, and who of them is alive, by liveliness events.

rclpy does not report changes of the graph, so it is polled 20 times a second; a topic's publishers are looked
at when their number has changed or half a second has passed (one may have taken the place of another).

The graph lists a killed process for ten more seconds. Publishers' liveliness tells of a graceful end in 3 ms
and of a killed or stopped process when its lease ends, on topics that this node subscribes to. For other
topics, and under middleware without liveliness events, presence follows the graph.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from rclpy.clock import Clock
from rclpy.node import Node
from rclpy.timer import Timer

from omnibind_ros.transport.protocol import Offer, OnOffers
from omnibind_ros.transport.ros.qos import from_profile

_PERIOD_S = 0.05
_POLLS_TO_TRUST = 10


@dataclass
class _Topic:
    """What was last reported of a topic."""

    offers: tuple[Offer, ...] = ()
    alive: int = 0
    publishers: int = 0
    polls_left: int = 0
    """before its publishers are looked at again although their number is the same"""


@dataclass
class _Watched:
    """One watch."""

    pattern: str
    on_offers: OnOffers
    topics: dict[str, _Topic] = field(default_factory=dict)


class GraphWatch:
    """All watches of a node. Polls while there is one.

    Args:
        guard: wraps a callback so that it does not raise.
    """

    def __init__(
        self, node: Node, steady: Clock, guard: Callable[[str, Callable[..., None]], Callable[..., None]]
    ) -> None:
        self._node = node
        self._steady = steady
        self._guard = guard
        self._keys = itertools.count()
        self._watched: dict[int, _Watched] = {}
        self._alive: dict[str, int] = {}
        self._timer: Timer | None = None

    def add(self, pattern: str, on_offers: OnOffers) -> int:
        """Watch a full topic name, in which `*` stands for (a part of) one segment; the key for `remove`."""
        key = next(self._keys)
        watched = self._watched[key] = _Watched(pattern, self._guard(pattern, on_offers))
        if self._timer is None:
            self._timer = self._node.create_timer(_PERIOD_S, self._poll_all, clock=self._steady)
        self._poll(watched)
        return key

    def remove(self, key: int) -> None:
        """Watch it no longer."""
        self._watched.pop(key, None)
        if not self._watched:
            self.close()

    def close(self) -> None:
        """Stop polling."""
        self._watched.clear()
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None

    def note_alive(self, topic: str, count: int) -> None:
        """So many publishers of a topic are alive, as a subscription to it has learnt."""
        self._alive[topic] = count
        for watched in list(self._watched.values()):
            if topic in watched.topics:
                self._report(watched, topic, watched.topics[topic].offers)

    def forget_alive(self, topic: str) -> None:
        """No subscription learns of the liveliness of a topic any more."""
        self._alive.pop(topic, None)

    def _poll_all(self) -> None:
        for watched in list(self._watched.values()):
            self._poll(watched)

    def _poll(self, watched: _Watched) -> None:
        found = set(self._matching(watched.pattern))
        for topic in found:
            if self._has_changed(watched, topic):
                publishers = self._node.get_publishers_info_by_topic(topic)
                known = watched.topics.setdefault(topic, _Topic())
                known.publishers, known.polls_left = len(publishers), _POLLS_TO_TRUST
                self._report(
                    watched,
                    topic,
                    tuple(Offer(p.topic_type, from_profile(p.qos_profile)) for p in publishers),
                )
        for topic in watched.topics.keys() - found:
            self._report(watched, topic, ())
            del watched.topics[topic]

    def _matching(self, pattern: str) -> list[str]:
        if "*" not in pattern:
            return [pattern]
        wanted = re.compile(re.escape(pattern).replace(r"\*", "[^/]*"))
        return [name for name, _ in self._node.get_topic_names_and_types() if wanted.fullmatch(name)]

    def _has_changed(self, watched: _Watched, topic: str) -> bool:
        known = watched.topics.get(topic)
        if known is None:
            return True
        known.polls_left -= 1
        return known.polls_left <= 0 or self._node.count_publishers(topic) != known.publishers

    def _report(self, watched: _Watched, topic: str, offers: tuple[Offer, ...]) -> None:
        known = watched.topics.setdefault(topic, _Topic())
        alive = min(self._alive.get(topic, len(offers)), len(offers))
        if (offers, alive) != (known.offers, known.alive):
            known.offers, known.alive = offers, alive
            watched.on_offers(topic, offers, alive)
