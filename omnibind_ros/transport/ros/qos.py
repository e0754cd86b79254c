"""Quality of service: ours <-> rclpy's."""

from __future__ import annotations

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

from omnibind_ros.transport.qos import INFINITE_NS, Qos

# The deadline follows `rate_hz` and is no constant to be overridden.
OVERRIDABLE = QoSOverridingOptions([QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY])


def to_profile(qos: Qos) -> QoSProfile:
    """The same for rclpy."""
    profile = QoSProfile(
        history=HistoryPolicy.KEEP_LAST if qos.history == "keep_last" else HistoryPolicy.KEEP_ALL,
        depth=qos.depth,
        reliability=ReliabilityPolicy.RELIABLE
        if qos.reliability == "reliable"
        else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL
        if qos.durability == "transient_local"
        else DurabilityPolicy.VOLATILE,
        liveliness=LivelinessPolicy.AUTOMATIC,
    )
    if qos.deadline_ns != INFINITE_NS:
        profile.deadline = Duration(nanoseconds=qos.deadline_ns)
    if qos.lease_ns != INFINITE_NS:
        profile.liveliness_lease_duration = Duration(nanoseconds=qos.lease_ns)
    return profile


def from_profile(profile: QoSProfile) -> Qos:
    """What others must know of a publisher to subscribe to it."""
    return Qos(
        reliability="reliable" if profile.reliability == ReliabilityPolicy.RELIABLE else "best_effort",
        durability="transient_local"
        if profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        else "volatile",
    )
