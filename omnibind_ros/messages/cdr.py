"""ROS 2 message types without ROS 2: classes, CDR and type hashes by name (rosbags).

A type is always named in full: `sensor_msgs/msg/Image`. Over every transport messages travel as CDR bytes, so
this is the only place where messages are made from bytes and turned into bytes.

    Image = message_class("sensor_msgs/msg/Image")
    payload = serialise(Image(...), "sensor_msgs/msg/Image")
    message = deserialise(payload, "sensor_msgs/msg/Image")
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

from rosbags.serde import SerdeError

from omnibind_ros.errors import BadMessage, ConfigError
from omnibind_ros.messages.type_store import type_store
from omnibind_ros.names import nearest

# What rosbags raises on payloads and messages that do not fit the type, besides its own SerdeError.
_MISFITS = (
    SerdeError,
    struct.error,
    AttributeError,
    TypeError,
    ValueError,
    IndexError,
    OverflowError,
    AssertionError,
    MemoryError,  # a length that was damaged
)


@cache
def message_class(type_name: str) -> type[Any]:
    """The class of a message type; its constructor takes every field by keyword.

    Raises:
        ConfigError: unknown type, with the nearest known one.
    """
    check_known(type_name)
    return type_store().types[type_name]


def serialise(message: object, type_name: str) -> bytearray:
    """A message (any object with the type's fields) as CDR, little endian, with its 4-byte header.

    Raises:
        ConfigError: unknown type.
        BadMessage: a field is missing or does not fit its type.
    """
    check_known(type_name)
    try:
        return type_store().serialize_cdr(message, type_name).obj  # type: ignore[return-value]
    except _MISFITS as error:
        raise BadMessage(f"cannot serialise {type(message).__name__} as {type_name}: {error}") from error


def deserialise(payload: bytes | bytearray | memoryview, type_name: str) -> Any:
    """A CDR payload with its 4-byte header as a message. Numeric arrays are views into `payload`.

    Raises:
        ConfigError: unknown type.
        BadMessage: the payload is not this type's CDR.
    """
    check_known(type_name)
    try:
        return type_store().deserialize_cdr(memoryview(payload), type_name)
    except _MISFITS as error:
        raise BadMessage(f"{len(payload)} bytes are not a {type_name}: {error}") from error


def prepare(type_name: str) -> None:
    """Generate the type's codecs now (5 to 20 ms) rather than with its first message.

    Raises:
        ConfigError: unknown type.
    """
    check_known(type_name)
    type_store().get_msgdef(type_name)


@cache
def type_hash(type_name: str) -> str:
    """`RIHS01_<sha256>`: the type's hash by REP 2016 (names and types of all fields, nested ones too).

    Raises:
        ConfigError: unknown type.
    """
    check_known(type_name)
    return type_store().hash_rihs01(type_name)


def check_known(type_name: str) -> None:
    """Refuse a type of which there is no definition.

    Raises:
        ConfigError: unknown type, with the nearest known one.
    """
    known = type_store().types
    if type_name not in known:
        raise ConfigError(f"unknown ROS message type {type_name!r}{nearest(type_name, known)}")
