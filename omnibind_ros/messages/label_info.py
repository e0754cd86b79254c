"""What the labels are and where `unknown` begins: `omnibind/labels`, a latched vision_msgs/LabelInfo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.fields import read_count, read_field, read_text
from omnibind_ros.messages.stamps import make_header
from omnibind_ros.messages.types import MessageTypes

_UNLABELED = 65535
"""By convention of vision_msgs the id of no class at all."""


def encode_label_info(
    types: MessageTypes, labels: Sequence[str], threshold: float, stamp: int, frame_id: str = "base_link"
) -> Any:
    """The `vision_msgs/msg/LabelInfo` of a label bank.

    Args:
        labels: names; the id of a class is its position.
        threshold: the score below which the answer is `unknown`.
    """
    vision_class = types["vision_msgs/msg/VisionClass"]
    return types["vision_msgs/msg/LabelInfo"](
        header=make_header(types, stamp, frame_id),
        class_map=[vision_class(class_id=index, class_name=label) for index, label in enumerate(labels)],
        threshold=float(threshold),
    )


def decode_label_info(message: object) -> tuple[tuple[str, ...], float]:
    """A `vision_msgs/LabelInfo` -> the labels in the order of their ids, and the unknown threshold.

    Raises:
        BadMessage: it is no label info.
    """
    classes = read_field(message, "class_map")
    if not isinstance(classes, (list, tuple)):
        raise BadMessage(f"label info holds {type(classes).__name__}, not a list of classes")
    names = {read_count(entry, "class_id"): read_text(entry, "class_name") for entry in classes}
    names.pop(_UNLABELED, None)
    threshold = read_field(message, "threshold")
    try:
        return tuple(names[index] for index in sorted(names)), float(threshold)
    except (TypeError, ValueError, OverflowError):
        raise BadMessage(f"label info has threshold {threshold!r}, not a number") from None
