"""Who publishes which topic, by polling the graph, and who of them is alive, by liveliness events.

rclpy does not report changes of the graph, so it is polled 20 times a second; a topic's publishers are looked
at when their number has changed or half a second has passed (one may have taken the place of another).

The graph lists a killed process for ten more seconds. Publishers' liveliness tells of a graceful end in 3 ms
and of a killed or stopped process when its lease ends, on topics that this node subscribes to. For other
topics, and under middleware without liveliness events, presence follows the graph.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from rclpy.node import Node

from omnibind_ros.transport.protocol import Alarm, Offer, OnOffers
from omnibind_ros.transport.ros.qos import from_profile
from omnibind_ros.transport.topic_names import topic_matches

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
    closed: bool = False
    topics: dict[str, _Topic] = field(default_factory=dict)


class GraphWatch:
    """All watches of a node. Polls while there is one.

    Args:
        turn: taken by everything that calls back.
        make_alarm: as `Transport.alarm`.
    """

    def __init__(
        self,
        node: Node,
        turn: AbstractContextManager[object],
        make_alarm: Callable[[Callable[[], None]], Alarm],
    ) -> None:
        self._node = node
        self._turn = turn
        self._make_alarm = make_alarm
        self._keys = itertools.count()
        self._watched: dict[int, _Watched] = {}
        self._alive: dict[str, int] = {}
        self._alarm: Alarm | None = None

    def add(self, pattern: str, on_offers: OnOffers) -> int:
        """Watch a full topic name, in which `*` stands for (a part of) one segment; the key for `remove`."""
        with self._turn:
            key = next(self._keys)
            self._watched[key] = _Watched(pattern, on_offers)
            if self._alarm is None:
                self._alarm = self._make_alarm(self._poll_all)
            self._alarm.set(0)
            return key

    def remove(self, key: int) -> None:
        """Watch it no longer."""
        with self._turn:
            if key in self._watched:
                self._watched.pop(key).closed = True
            if not self._watched and self._alarm is not None:
                self._alarm.close()
                self._alarm = None

    def note_alive(self, topic: str, count: int) -> None:
        """So many publishers of a topic are alive, as a subscription to it has learnt."""
        with self._turn:
            self._alive[topic] = count
            for watched in list(self._watched.values()):
                if topic in watched.topics:
                    self._report(watched, topic, watched.topics[topic].offers)

    def forget_alive(self, topic: str) -> None:
        """No subscription learns of the liveliness of a topic any more."""
        with self._turn:
            self._alive.pop(topic, None)

    def _poll_all(self) -> None:
        if self._alarm is not None:
            self._alarm.set(_PERIOD_S)
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
        names = (name for name, _ in self._node.get_topic_names_and_types())
        return [name for name in names if topic_matches(name, pattern)]

    def _has_changed(self, watched: _Watched, topic: str) -> bool:
        known = watched.topics.get(topic)
        if known is None:
            return True
        known.polls_left -= 1
        return known.polls_left <= 0 or self._node.count_publishers(topic) != known.publishers

    def _report(self, watched: _Watched, topic: str, offers: tuple[Offer, ...]) -> None:
        if watched.closed:  # by a callback just now
            return
        known = watched.topics.setdefault(topic, _Topic())
        alive = min(self._alive.get(topic, len(offers)), len(offers))
        if (offers, alive) != (known.offers, known.alive):
            known.offers, known.alive = offers, alive
            watched.on_offers(topic, offers, alive)
