"""What a keyboard or a speech recogniser publishes: `std_msgs/msg/String`, one every two seconds."""

from __future__ import annotations

from typing import Any

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.modalities.frames import one_per_sample


def text_message(words: str, stamp: int = 0) -> Any:
    """`std_msgs/msg/String`, which carries no stamp."""
    return message_class("std_msgs/msg/String")(data=words)


frames = one_per_sample(2.0, text_message)
