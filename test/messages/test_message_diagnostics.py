"""Diagnostics: a status a sensor, at the stated level, with everything a person wants to see."""

from __future__ import annotations

import pytest

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.diagnostics import (
    Level,
    Report,
    encode_diagnostics,
    reporter_name,
    sensor_report,
)
from omnibind_ros.types import SensorState, SensorStatus


@pytest.mark.parametrize(
    ("state", "level"),
    [
        (SensorState.LIVE, "OK"),
        (SensorState.MUTED, "OK"),
        (SensorState.LOST, "WARN"),
        (SensorState.STALE, "STALE"),
        (SensorState.FAULTY, "ERROR"),
    ],
)
def test_levels(over_the_wire, state, level):
    array = encode_diagnostics(7, "fusion", [sensor_report(SensorStatus("mic", "audio", state, "why"))])
    constant = getattr(message_class("diagnostic_msgs/msg/DiagnosticStatus"), level)
    assert over_the_wire(array).status[0].level == constant


def test_every_state_has_a_level():
    for state in SensorState:
        assert sensor_report(SensorStatus("mic", "audio", state, "")).message == state.value


def test_a_sensor_and_fusion(over_the_wire):
    status = SensorStatus("mic", "audio", SensorState.STALE, "silent for 0.8 s", 3.99999, None, 0.5, 0.25, 2)
    reports = [
        sensor_report(status, {"encode_ms": 1.23456, "backend": "onnxruntime"}),
        Report("recognition", Level.WARN, "no live sensor"),
    ]
    array = over_the_wire(encode_diagnostics(2_000_000_001, "fusion", reports))
    assert (array.header.stamp.sec, array.header.stamp.nanosec) == (2, 1)
    mic, fusion = array.status
    assert (mic.name, mic.message) == ("fusion: mic", "stale: silent for 0.8 s")
    assert {pair.key: pair.value for pair in mic.values} == {
        "modality": "audio",
        "state": "stale",
        "rate_hz": "4",
        "age_s": "never",
        "weight": "0.5",
        "quality": "0.25",
        "rejected": "2",
        "encode_ms": "1.235",
        "backend": "onnxruntime",
    }
    assert (fusion.name, fusion.message, list(fusion.values)) == ("fusion: recognition", "no live sensor", [])


def test_reporters_of_several_robots_are_told_apart():
    assert reporter_name("fusion") == reporter_name("fusion", "/") == "fusion"
    assert reporter_name("fusion", "/robot1/") == "robot1/fusion"
