"""Labels and the unknown threshold."""

from __future__ import annotations

from omnibind_ros.messages.label_info import encode_label_info


def test_ids_are_positions(over_the_wire):
    message = over_the_wire(encode_label_info(["zero", "one", "two"], 0.25, 3_000_000_000))
    assert [(entry.class_id, entry.class_name) for entry in message.class_map] == [
        (0, "zero"),
        (1, "one"),
        (2, "two"),
    ]
    assert (message.header.stamp.sec, message.threshold) == (3, 0.25)
