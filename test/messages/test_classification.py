"""Recognitions and contributions keep their order and scores; an empty one stays empty."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.classification import (
    decode_contributions,
    decode_recognition,
    encode_contributions,
    encode_health,
    encode_recognition,
)
from omnibind_ros.types import Contribution, LabelScore, Recognition, SensorState, SensorStatus

names = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
scored = st.lists(st.tuples(names, st.floats(0, 1)), max_size=5)


@given(scored, scored, st.integers(0, 2**31 * 10**9 - 1))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(over_the_wire, labels, shares, stamp):
    recognition = Recognition(
        stamp, tuple(LabelScore(*pair) for pair in labels), tuple(Contribution(*pair) for pair in shares)
    )
    contributions = decode_contributions(over_the_wire(encode_contributions(recognition)))
    received = decode_recognition(over_the_wire(encode_recognition(recognition)), contributions)
    assert (received.stamp, received.labels, received.contributions) == (
        recognition.stamp,
        recognition.labels,
        recognition.contributions,
    )


def test_the_planner_reads_best_label_first():
    recognition = Recognition(
        1_500_000_001, (LabelScore("three", 0.75), LabelScore("eight", 0.25)), (Contribution("mic", 1.0),)
    )
    message = encode_recognition(recognition)
    assert [(result.class_id, result.score) for result in message.results] == [
        ("three", 0.75),
        ("eight", 0.25),
    ]
    assert message.header.frame_id == "base_link"
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == (1, 500_000_001)
    shares = encode_contributions(recognition, "map")
    assert [(result.class_id, result.score) for result in shares.results] == [("mic", 1.0)]
    assert shares.header.frame_id == "map" and shares.header.stamp == message.header.stamp


def test_no_live_sensor_is_an_empty_result(over_the_wire):
    received = decode_recognition(over_the_wire(encode_recognition(Recognition(5))))
    assert received.answer is None and received.stamp == 5


def test_a_score_that_is_no_number_is_refused(over_the_wire):
    message = over_the_wire(encode_recognition(Recognition(5, (LabelScore("three", float("nan")),))))
    with pytest.raises(BadMessage, match="score nan"):
        decode_recognition(message)


def test_health_is_of_the_sensors_that_send(over_the_wire):
    def status(sensor, state, health):
        return SensorStatus(sensor, "image", state, "", health=health)

    statuses = [
        status("bad", SensorState.FAULTY, 0.02),
        status("good", SensorState.LIVE, 0.98),
        status("gone", SensorState.LOST, 0.98),
        status("late", SensorState.STALE, 0.98),
    ]
    message = over_the_wire(encode_health(statuses, 1_500_000_001))
    assert [(r.class_id, round(r.score, 6)) for r in message.results] == [("good", 0.98), ("bad", 0.02)]
