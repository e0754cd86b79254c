"""What the labels are and where `unknown` begins: `omnibind/labels`, a latched vision_msgs/LabelInfo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import make_header


def encode_label_info(
    labels: Sequence[str], threshold: float, stamp: int, frame_id: str = "base_link"
) -> Any:
    """The `vision_msgs/msg/LabelInfo` of a label bank.

    Args:
        labels: names; the id of a class is its position.
        threshold: the score below which the answer is `unknown`.
    """
    vision_class = message_class("vision_msgs/msg/VisionClass")
    return message_class("vision_msgs/msg/LabelInfo")(
        header=make_header(stamp, frame_id),
        class_map=[vision_class(class_id=index, class_name=label) for index, label in enumerate(labels)],
        threshold=float(threshold),
    )
