"""Messages are tested twice: with rosbags classes, and with classes as picky as those of rclpy."""

from __future__ import annotations

import array
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibind_ros.messages import cdr as rosbags_types
from omnibind_ros.messages.type_store import type_store
from omnibind_ros.messages.types import MessageTypes


def rosbags_message_types() -> MessageTypes:
    return MessageTypes(rosbags_types.message_class, to_bytes=lambda data: data)


_BUILTIN: dict[Any, type] = {"string": str, "bool": bool, "float32": float, "float64": float, "byte": bytes}


def _rclpy_like_class(name: str) -> type[Any]:
    """Keyword arguments only, plain Python types only, `uint8[]` as `array.array`: what rclpy insists on."""
    constants, fields = type_store().fielddefs[name]

    class Message(SimpleNamespace):
        def __init__(self, **values: Any) -> None:
            assert values.keys() == dict(fields).keys(), f"{name}: {sorted(values)}"
            for field, (kind, inner) in fields:
                value = values[field]
                if kind.name == "BASE":
                    assert type(value) is _BUILTIN.get(inner[0], int), f"{name}.{field}: {type(value)}"
                elif kind.name == "SEQUENCE" and inner[0][1] == ("uint8", 0):
                    assert type(value) is array.array and value.typecode == "B", f"{name}.{field}"
                elif kind.name == "SEQUENCE":
                    assert type(value) is list, f"{name}.{field}: {type(value)}"
            super().__init__(**values)

    value: Any
    for constant, kind, value in constants:
        setattr(Message, constant, bytes([value]) if kind == "byte" else value)
    return Message


def rclpy_like_message_types() -> MessageTypes:
    return MessageTypes(_rclpy_like_class, to_bytes=lambda data: array.array("B", data.tobytes()))


@pytest.fixture(params=[rosbags_message_types, rclpy_like_message_types], ids=["rosbags", "rclpy-like"])
def types(request: pytest.FixtureRequest) -> MessageTypes:
    made: MessageTypes = request.param()
    return made


@pytest.fixture
def over_the_wire(types: MessageTypes) -> Callable[[Any], Any]:
    """Send a message: rosbags messages through CDR and back, others as they are."""

    def send(message: Any) -> Any:
        name = getattr(message, "__msgtype__", None)
        if name is None:
            return message
        return rosbags_types.deserialise(bytes(rosbags_types.serialise(message, name)), name)

    return send


@pytest.fixture
def vector() -> Callable[..., NDArray[np.float32]]:
    """A function D -> a random unit vector."""

    def make(dim: int, seed: int = 0) -> NDArray[np.float32]:
        values = np.random.default_rng(seed).standard_normal(dim).astype(np.float32)
        unit: NDArray[np.float32] = values / np.linalg.norm(values)
        return unit

    return make
