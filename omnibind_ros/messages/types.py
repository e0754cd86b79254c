"""Where message classes come from."""

from __future__ import annotations

from typing import Any

from omnibind_ros.messages.cdr import message_class


class MessageTypes:
    """`types["sensor_msgs/msg/Image"]`."""

    def __getitem__(self, name: str) -> Any:
        return message_class(name)

    def to_bytes(self, data: Any) -> Any:
        return data


TYPES = MessageTypes()
