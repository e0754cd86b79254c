"""Stamps and the type name of a message that was deserialised from CDR."""

from __future__ import annotations

from typing import Any

NANOSECONDS = 1_000_000_000


def type_name(message: Any) -> str:
    """E.g. `sensor_msgs/msg/Image`."""
    return str(message.__msgtype__)


def time_to_ns(time: Any) -> int:
    """`builtin_interfaces/Time` -> ns since the epoch."""
    return int(time.sec * NANOSECONDS + time.nanosec)


def stamp_of(message: Any) -> int:
    """`header.stamp` in ns since the epoch; 0 when the driver left it unset."""
    return time_to_ns(message.header.stamp)
