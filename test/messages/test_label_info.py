"""Labels and the unknown threshold."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.label_info import decode_label_info, encode_label_info


def test_round_trip(types, over_the_wire):
    message = over_the_wire(encode_label_info(types, ["zero", "one", "two"], 0.25, 3_000_000_000))
    assert [(entry.class_id, entry.class_name) for entry in message.class_map] == [
        (0, "zero"),
        (1, "one"),
        (2, "two"),
    ]
    assert message.header.stamp.sec == 3
    assert decode_label_info(message) == (("zero", "one", "two"), 0.25)


def entry(class_id, class_name):
    return SimpleNamespace(class_id=class_id, class_name=class_name)


def test_ids_give_the_order_and_unlabeled_is_no_label():
    message = SimpleNamespace(
        class_map=[entry(2, "b"), entry(65535, "UNLABELED"), entry(1, "a")], threshold=0.5
    )
    assert decode_label_info(message) == (("a", "b"), 0.5)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (SimpleNamespace(class_map=None), "NoneType, not a list"),
        (SimpleNamespace(class_map=[entry(-1, "a")]), "'class_id' is -1"),
        (SimpleNamespace(class_map=[], threshold="low"), "threshold 'low'"),
    ],
)
def test_what_is_no_label_info_is_refused(bad, says):
    with pytest.raises(BadMessage, match=says):
        decode_label_info(bad)
