"""Quality of service of a topic, and the profiles of the topics in the ROS 2 interface.

The standalone shell acts on reliability, durability and depth. Deadline and lease are only advertised to
others: presence is the liveliness token, staleness the live set's job.
"""

from __future__ import annotations

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
LATCHED = Qos(durability="transient_local", depth=1)
DIAGNOSTICS = Qos(depth=10)


def recognition_qos(rate_hz: float) -> Qos:
    """Reliable, depth 1, a deadline of two periods of `rate_hz` (Hz, > 0)."""
    return Qos(depth=1, deadline_ns=round(2e9 / rate_hz))
