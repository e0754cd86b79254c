"""Recognitions and contributions keep their order and scores; an empty one stays empty."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.classification import (
    decode_contributions,
    decode_recognition,
    encode_contributions,
    encode_recognition,
)
from omnibind_ros.types import Contribution, LabelScore, Recognition

names = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
scored = st.lists(st.tuples(names, st.floats(0, 1)), max_size=5)


@given(scored, scored, st.integers(0, 2**31 * 10**9 - 1))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(types, over_the_wire, labels, shares, stamp):
    recognition = Recognition(
        stamp, tuple(LabelScore(*pair) for pair in labels), tuple(Contribution(*pair) for pair in shares)
    )
    contributions = decode_contributions(over_the_wire(encode_contributions(types, recognition)))
    received = decode_recognition(over_the_wire(encode_recognition(types, recognition)), contributions)
    assert (received.stamp, received.labels, received.contributions) == (
        recognition.stamp,
        recognition.labels,
        recognition.contributions,
    )


def test_the_planner_reads_best_label_first(types):
    recognition = Recognition(
        1_500_000_001, (LabelScore("three", 0.75), LabelScore("eight", 0.25)), (Contribution("mic", 1.0),)
    )
    message = encode_recognition(types, recognition)
    assert [(result.class_id, result.score) for result in message.results] == [
        ("three", 0.75),
        ("eight", 0.25),
    ]
    assert message.header.frame_id == "base_link"
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_001)
    shares = encode_contributions(types, recognition, "map")
    assert [(result.class_id, result.score) for result in shares.results] == [("mic", 1.0)]
    assert shares.header.frame_id == "map" and shares.header.stamp == message.header.stamp


def test_no_live_sensor_is_an_empty_result(types, over_the_wire):
    received = decode_recognition(over_the_wire(encode_recognition(types, Recognition(5))))
    assert received.answer is None and received.stamp == 5


def message(results):
    return SimpleNamespace(header=SimpleNamespace(stamp=SimpleNamespace(sec=0, nanosec=0)), results=results)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (message(7), "int, not a list"),
        (message([None]), "no field 'class_id'"),
        (message([SimpleNamespace(class_id="a", score=float("nan"))]), "score nan"),
        (message([SimpleNamespace(class_id="a", score="b")]), "score 'b'"),
        (message([SimpleNamespace(class_id=4, score=0.5)]), "'class_id' is 4"),
        (SimpleNamespace(results=[]), "no field 'header'"),
    ],
)
def test_what_is_no_classification_is_refused(bad, says):
    with pytest.raises(BadMessage, match=says):
        decode_recognition(bad)
