"""What a robot says, put together."""

from __future__ import annotations

from typing import Any

from omnibind_ros.monitor.robot_view import RobotView, SensorRow, Snapshot
from omnibind_ros.types import Contribution, LabelScore, Recognition, SensorState

FIVE = Recognition(1, (LabelScore("5", 0.9), LabelScore("3", 0.1)))


def by_fusion(view: RobotView, sensor: str, state: str, reason: str, at: float, **values: Any) -> None:
    known = {"state": state, "modality": "image", "encoders": "1", **values}
    view.diagnosed(f"fusion: {sensor}", f"{state}: {reason}", known, at)


def by_encoder(view: RobotView, sensor: str, state: str, reason: str, at: float, **values: Any) -> None:
    view.diagnosed(f"encoder_{sensor}: {sensor}", f"{state}: {reason}", {"state": state, **values}, at)


def sensor(snapshot: Snapshot, name: str = "camera") -> SensorRow:
    return {sensor.sensor: sensor for sensor in snapshot.sensors}[name]


def test_nothing_heard_is_no_answer() -> None:
    assert RobotView().snapshot(0.0) == Snapshot(labels=None, sensors=(), silent_s=None)


def test_a_live_sensor_has_what_fusion_and_its_encoder_know() -> None:
    view = RobotView()
    by_fusion(view, "camera", "live", "fresh", 9.5, rate_hz="10.1", age_s="0.02", quality="0.7")
    by_encoder(view, "camera", "live", "", 9.5, encode_ms="1.5")
    view.recognised(FIVE, 10.0)
    view.contributed((Contribution("camera", 1.0),))
    snapshot = view.snapshot(10.1)
    assert snapshot.labels == FIVE.labels
    assert sensor(snapshot) == SensorRow(
        "camera",
        SensorState.LIVE,
        "fresh",
        "image",
        weight=1.0,
        rate_hz=10.1,
        age_s=0.02,
        quality=0.7,
        encode_ms=1.5,
    )


def test_a_live_sensor_may_have_a_warning() -> None:
    view = RobotView()
    values = {"state": "live", "modality": "image", "encoders": "2"}
    view.diagnosed("fusion: camera", "live: fresh; 2 encoders", values, 10.0, warns=True)
    view.recognised(FIVE, 10.0)
    view.contributed((Contribution("camera", 1.0),))
    assert sensor(view.snapshot(10.0)).warning == "fresh; 2 encoders"
    view.contributed(())
    assert sensor(view.snapshot(10.0)).warning == ""
    view.contributed((Contribution("camera", 1.0),))
    by_fusion(view, "camera", "live", "fresh", 11.0)
    assert sensor(view.snapshot(10.0)).warning == ""


def test_a_warning_of_the_encoder_of_a_live_sensor_is_shown_whole() -> None:
    view = RobotView()
    mixed = "2 publishers on /camera mix their messages: give each its own topic"
    by_fusion(view, "camera", "live", "", 10.0)
    values = {"state": "live", "modality": "image"}
    view.diagnosed("encoder_camera: camera", f"live; {mixed}", values, 10.0, warns=True)
    view.recognised(FIVE, 10.0)
    view.contributed((Contribution("camera", 1.0),))
    assert sensor(view.snapshot(10.0)).warning == mixed
    by_encoder(view, "camera", "live", "", 11.0)
    assert sensor(view.snapshot(11.0)).warning == ""


def test_contributions_are_newer_than_diagnostics() -> None:
    view = RobotView()
    by_fusion(view, "camera", "live", "fresh", 9.0)
    view.recognised(FIVE, 10.0)
    view.contributed((Contribution("microphone", 1.0),))
    snapshot = view.snapshot(10.0)
    assert sensor(snapshot).state is SensorState.STALE
    assert sensor(snapshot, "microphone").is_live


def test_the_encoder_knows_why_nothing_comes() -> None:
    view = RobotView()
    view.recognised(Recognition(1), 10.0)
    by_fusion(view, "camera", "stale", "no embedding yet", 10.0)
    by_encoder(view, "camera", "stale", "snapshot is black", 10.0)
    assert sensor(view.snapshot(10.0)).reason == "snapshot is black"


def test_an_encoder_that_is_gone_has_no_say_any_more() -> None:
    view = RobotView()
    by_encoder(view, "camera", "stale", "snapshot is black", 10.0)
    by_fusion(view, "camera", "lost", "its encoder is gone", 10.1, encoders="0")
    view.recognised(Recognition(1), 10.1)
    assert sensor(view.snapshot(10.2)).reason == "its encoder is gone"


def test_a_silent_fusion_gives_no_stale_answer() -> None:
    view = RobotView()
    view.recognised(FIVE, 10.0)
    view.contributed((Contribution("camera", 1.0),))
    by_fusion(view, "camera", "live", "fresh", 10.0)
    snapshot = view.snapshot(15.0)
    assert snapshot.labels is None
    assert snapshot.silent_s == 5.0
    assert not sensor(snapshot).is_live


def test_no_live_sensor_is_an_answer_without_labels() -> None:
    view = RobotView()
    view.recognised(Recognition(1), 10.0)
    assert view.snapshot(10.0).labels == ()


def test_answers_are_counted_by_the_second() -> None:
    view = RobotView()
    for step in range(100):
        view.recognised(FIVE, step / 10)
    assert abs(view.snapshot(9.95).rate_hz - 10.0) <= 0.5


def test_statuses_of_others_are_no_sensors() -> None:
    view = RobotView()
    view.recognised(FIVE, 0.0)
    view.diagnosed("fusion: fusion", "live: camera", {"bundle": "digits"}, 0.0)
    view.diagnosed("battery", "ok", {"state": "live"}, 0.0)
    assert view.snapshot(0.0).sensors == ()


def test_values_that_are_no_numbers_are_not_known() -> None:
    view = RobotView()
    by_fusion(view, "camera", "odd", "?", 0.0, rate_hz="nan", age_s="never", quality="")
    view.recognised(FIVE, 0.0)
    assert sensor(view.snapshot(0.0)) == SensorRow("camera", None, "?", "image")
