"""Time in the code is int nanoseconds since the epoch; in messages it is a `builtin_interfaces/Time`."""

from __future__ import annotations

from typing import Any

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.fields import NANOSECONDS, stamp_of, time_to_ns

__all__ = ["make_header", "ns_to_time", "stamp_of", "time_to_ns"]


def ns_to_time(stamp: int) -> Any:
    """ns since the epoch -> `builtin_interfaces/msg/Time`."""
    sec, nanosec = divmod(int(stamp), NANOSECONDS)
    return message_class("builtin_interfaces/msg/Time")(sec=sec, nanosec=nanosec)


def make_header(stamp: int, frame_id: str = "") -> Any:
    """`std_msgs/msg/Header` of a stamp in ns since the epoch."""
    return message_class("std_msgs/msg/Header")(stamp=ns_to_time(stamp), frame_id=frame_id)
