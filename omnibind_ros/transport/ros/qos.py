"""Quality of service of the topics, and what to request so that everybody is heard.

A subscription that requests more than a publisher offers hears nothing of it. So what is requested follows
what is offered, and neither deadline nor lease is ever requested.
"""

from __future__ import annotations

from collections.abc import Iterable

from rclpy.duration import Duration
from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    LivelinessPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
)
from rclpy.qos_overriding_options import QoSOverridingOptions

LEASE_S = 0.3
"""A killed process is noticed by its lease. 0.1 s gave false alarms under load, 0.2 and 0.3 s none."""

# The deadline follows `rate_hz` and is no constant to be overridden.
OVERRIDABLE = QoSOverridingOptions([QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY])


def embedding_qos() -> QoSProfile:
    """Offered for embeddings: the newest for whoever comes late, and a lease that tells of a sudden end."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
        liveliness=LivelinessPolicy.AUTOMATIC,
        liveliness_lease_duration=Duration(seconds=LEASE_S),
    )


def recognition_qos(rate_hz: float) -> QoSProfile:
    """Offered for answers: two periods of `rate_hz` (Hz) without one break the deadline."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        deadline=Duration(seconds=2 / rate_hz),
    )


def latched_qos() -> QoSProfile:
    """Offered for what is said once."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=1,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


def sensor_qos(depth: int) -> QoSProfile:
    """Offered for raw sensor messages by our own players."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)


def requested(offers: Iterable[QoSProfile], depth: int) -> QoSProfile:
    """What to request so that all of these publishers are heard, as well as they offer it."""
    offers = list(offers)
    reliable = all(offer.reliability == ReliabilityPolicy.RELIABLE for offer in offers)
    latched = all(offer.durability == DurabilityPolicy.TRANSIENT_LOCAL for offer in offers)
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE,
    )
