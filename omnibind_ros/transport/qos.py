"""Quality of service of a topic, and the profiles of the topics in the ROS 2 interface.

A subscription that requests more than a publisher offers receives nothing from it. So what is requested
follows what is offered (`requested`), and neither deadline nor lease is ever requested.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Reliability = Literal["reliable", "best_effort"]
Durability = Literal["transient_local", "volatile"]
History = Literal["keep_last", "keep_all"]
Liveliness = Literal["automatic", "manual_by_node", "manual_by_topic"]

INFINITE_NS = 2**63 - 1
_MS = 1_000_000


@dataclass(frozen=True)
class Qos:
    """A ROS 2 QoS profile; durations in nanoseconds."""

    reliability: Reliability = "reliable"
    durability: Durability = "volatile"
    history: History = "keep_last"
    depth: int = 10
    deadline_ns: int = INFINITE_NS
    lifespan_ns: int = INFINITE_NS
    liveliness: Liveliness = "automatic"
    lease_ns: int = INFINITE_NS


SENSOR_DATA = Qos(reliability="best_effort", depth=5)
EMBEDDING = Qos(durability="transient_local", depth=1, lease_ns=300 * _MS)
"""The newest one for late subscribers. Under DDS a killed process is noticed by its lease: 0.1 s gave false
alarms under load, 0.2 and 0.3 s none."""
LATCHED = Qos(durability="transient_local", depth=1)
DIAGNOSTICS = Qos(depth=10)


def recognition_qos(rate_hz: float) -> Qos:
    """Reliable, depth 1, a deadline of two periods of `rate_hz` (Hz, > 0)."""
    return Qos(depth=1, deadline_ns=round(2e9 / rate_hz))


def requested(offers: Iterable[Qos], depth: int) -> Qos:
    """The most that all of these publishers offer; best effort and volatile if there is none."""
    offers = list(offers)
    reliable = bool(offers) and all(offer.reliability == "reliable" for offer in offers)
    latched = bool(offers) and all(offer.durability == "transient_local" for offer in offers)
    return Qos(
        reliability="reliable" if reliable else "best_effort",
        durability="transient_local" if latched else "volatile",
        depth=depth,
    )
