"""Reading fields of a message that may come from anywhere: ROS classes, rosbags classes, anything alike.

Whatever is missing or of the wrong kind becomes one `BadMessage` that names the message and the field.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage

NANOSECONDS = 1_000_000_000


def type_name(message: object) -> str:
    """`sensor_msgs/msg/Image` for a rosbags class, the class name for any other."""
    return getattr(message, "__msgtype__", None) or type(message).__name__


def read_field(message: object, name: str) -> Any:
    """The field `name`, whatever it is.

    Raises:
        BadMessage: there is none.
    """
    try:
        return getattr(message, name)
    except AttributeError:
        raise BadMessage(
            f"{type_name(message)}: it has no field {name!r}; check the type of the topic"
        ) from None


def read_count(message: object, name: str) -> int:
    """The field `name`, a non-negative integer such as a width, a step or an offset.

    Raises:
        BadMessage: it is missing, negative, or no integer.
    """
    value = getattr(message, name, None)
    if type(value) is int and value >= 0:
        return value
    value = read_field(message, name)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 0:
        return int(value)
    raise BadMessage(f"{type_name(message)}: field {name!r} is {value!r}, not a count")


def read_text(message: object, name: str) -> str:
    """The field `name`, a string.

    Raises:
        BadMessage: it is missing or no string.
    """
    value = getattr(message, name, None)
    if isinstance(value, str):
        return value
    value = read_field(message, name)
    raise BadMessage(f"{type_name(message)}: field {name!r} is {value!r}, not a string")


def read_bytes(message: object, name: str) -> NDArray[np.uint8]:
    """The `uint8[]` field `name` as a view, uint8 [n].

    Raises:
        BadMessage: it is missing or holds no contiguous bytes.
    """
    data = getattr(message, name, None)
    if _is_byte_array(data):
        return data
    return byte_view(read_field(message, name), f"{type_name(message)}: field {name!r}")


def byte_view(data: object, what: str) -> NDArray[np.uint8]:
    """`bytes`, `bytearray`, `memoryview`, `array.array` or a numpy array as a view, uint8 [n].

    Raises:
        BadMessage: `data` holds no contiguous bytes; the message starts with `what`.
    """
    if _is_byte_array(data):
        return data
    try:
        return np.frombuffer(data, np.uint8)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError, BufferError, AttributeError):
        raise BadMessage(f"{what} is {type(data).__name__}, not bytes") from None


def _is_byte_array(data: object) -> TypeGuard[NDArray[np.uint8]]:
    return (
        isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim == 1 and data.flags.c_contiguous
    )


def time_to_ns(time: object) -> int:
    """`builtin_interfaces/Time` -> ns since the epoch.

    Raises:
        BadMessage: it is no such time.
    """
    sec, nanosec = read_field(time, "sec"), read_field(time, "nanosec")
    try:
        if abs(sec) < 1 << 32 and 0 <= nanosec < 1 << 32:
            return int(sec) * NANOSECONDS + int(nanosec)
    except (TypeError, ValueError):
        pass
    raise BadMessage(f"{type_name(time)} has sec {sec!r} and nanosec {nanosec!r}: that is no time")


def stamp_of(message: object) -> int:
    """`header.stamp` in ns since the epoch; 0 when the driver left it unset.

    Raises:
        BadMessage: the message has no header.
    """
    return time_to_ns(read_field(read_field(message, "header"), "stamp"))
