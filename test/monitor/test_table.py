"""The live table and the plain lines: what they say, and that they keep to their width."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from omnibind_ros.monitor.lettering import letter, small_letter
from omnibind_ros.monitor.robot_view import SensorRow, Snapshot
from omnibind_ros.monitor.table import Screen, changes, render
from omnibind_ros.types import LabelScore, SensorState

CAMERA = SensorRow("camera", SensorState.LIVE, "fresh", "image", 0.75, 10.0, 0.04, 0.93, 2.1)
MICROPHONE = SensorRow("microphone", SensorState.LIVE, "fresh", "audio", 0.25, 4.0, 0.2, 1.0, 11.4)
STUCK = SensorRow(
    "thermal_camera_of_the_left_arm",
    SensorState.FAULTY,
    "stuck: " + "bit-identical " * 9,
    "modality_of_my_own",
)
FIVE = Snapshot((LabelScore("5", 0.97), LabelScore("3", 0.02)), (CAMERA, MICROPHONE, STUCK), 23.4, 0.02)


def lines(snapshot: Snapshot, title: str = "digits") -> list[str]:
    console = Console(width=200, file=io.StringIO(), force_terminal=False)
    console.print(render(snapshot, title))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def row(snapshot: Snapshot, name: str) -> str:
    return next(line for line in lines(snapshot) if line.lstrip().startswith(name))


def test_a_live_sensor_shows_its_numbers_and_its_weight() -> None:
    words = row(FIVE, "camera").split()
    assert words[1:8] == ["image", "●", "live", "10.0", "0.0s", "0.93", "2.1ms"]
    assert words[-1] == "75%"
    assert words[-2].count("█") == 3 * row(FIVE, "microphone").count("█")


def test_a_sensor_that_does_not_count_says_why() -> None:
    assert "✖ faulty stuck: bit-identical" in row(FIVE, "thermal_camer…")


def test_a_live_sensor_with_a_warning_keeps_its_numbers_and_says_it_below() -> None:
    warning = "fresh; 2 encoders publish under this name: give each its own"
    warned = replace(FIVE, sensors=(replace(CAMERA, warning=warning), MICROPHONE))
    shown = lines(warned)
    at = shown.index(row(FIVE, "camera"))
    assert shown[at + 1] == f"   ! {warning}"
    assert shown[at + 2] == row(FIVE, "microphone")
    long = replace(FIVE, sensors=(replace(CAMERA, warning=warning * 9),))
    assert max(len(line) for line in lines(long)) <= 79


def test_a_warning_is_a_plain_line_when_it_appears() -> None:
    warned = replace(FIVE, sensors=(replace(CAMERA, warning="2 encoders"), MICROPHONE, STUCK))
    more = replace(FIVE, sensors=(replace(CAMERA, warning="3 encoders"), MICROPHONE, STUCK))
    assert changes(FIVE, warned) == ["camera has a warning: 2 encoders"]
    assert changes(warned, more) == changes(warned, FIVE) == []


def test_the_answer_stands_large_beside_its_runners_up() -> None:
    text = "\n".join(lines(FIVE))
    for dots in letter("5"):
        assert dots.rstrip() in text
    ranked = [line.split() for line in lines(FIVE) if line.endswith("%") and "●" not in line]
    assert [(words[-3], words[-1]) for words in ranked] == [("5", "97%"), ("3", "2%")]


@pytest.mark.parametrize(
    "snapshot, said",
    [
        (Snapshot(), "waiting for fusion"),
        (replace(FIVE, labels=None, silent_s=7.2), "no answer from fusion for 7 s"),
        (Snapshot((), (), 10.0, 0.1), "no live sensor"),
        (FIVE, "2 of 3 sensors live · 23 answers/s"),
        (Snapshot((LabelScore("coffee machine", 0.9),), (), 1.0, 0.0), "coffee machine"),
    ],
)
def test_the_headline_says_how_things_are(snapshot: Snapshot, said: str) -> None:
    assert any(said in line for line in lines(snapshot))


@pytest.mark.parametrize("label", ["5", "unknown", "a very long label that never ends, whatever comes"])
def test_nothing_is_wider_than_79_columns_and_nothing_jumps(label: str) -> None:
    snapshot = replace(FIVE, labels=(LabelScore(label, 1.0),) * 9)
    assert max(len(line) for line in lines(snapshot, "a title " * 20)) <= 79
    assert len(lines(snapshot)) == len(lines(replace(FIVE, labels=())))


def test_letters_are_drawn_from_dots() -> None:
    assert letter("1") == ["    ██    ", "  ████    ", *["    ██    "] * 4, "  ██████  "]
    assert small_letter("L") == ["█    ", "█    ", "█    ", "▀▀▀▀▀"]
    assert small_letter("?") == ["     "] * 4


def test_plain_lines_tell_each_change_once() -> None:
    first = changes(Snapshot(), FIVE)
    assert first == [
        "camera (image) is live",
        "microphone (audio) is live",
        f"{STUCK.sensor} ({STUCK.modality}) is faulty: {STUCK.reason}",
        "answer: 5 (97%) from camera 75%, microphone 25%",
    ]
    assert changes(FIVE, replace(FIVE, labels=(LabelScore("5", 0.5),), rate_hz=1.0)) == []


def test_plain_lines_tell_who_left_and_what_remains() -> None:
    gone = replace(CAMERA, state=SensorState.LOST, reason="its encoder is gone", weight=0.0)
    after = replace(FIVE, sensors=(gone, replace(MICROPHONE, weight=1.0), STUCK))
    assert changes(FIVE, after) == [
        "camera (image) is lost: its encoder is gone",
        "answer: 5 (97%) from microphone 100%",
    ]
    assert changes(after, Snapshot((), (gone,), 10.0, 0.0))[-1] == "answer: none, no live sensor"
    assert changes(after, Snapshot(None, ()))[-1] == "fusion does not answer"


def test_without_a_terminal_a_screen_prints_lines() -> None:
    console = Console(width=40, file=io.StringIO(), force_terminal=False)
    with Screen(console) as screen:
        screen.add_line("fusion", "a line of its own")
        screen.show(FIVE)
        screen.show(FIVE)
    assert isinstance(console.file, io.StringIO)
    printed = [line.partition("  ")[2] for line in console.file.getvalue().splitlines()]
    assert printed == [*changes(Snapshot(), FIVE), "fusion | a line of its own"]


def test_in_a_terminal_the_table_is_drawn_and_lines_go_above_it() -> None:
    console = Console(width=80, file=io.StringIO(), force_terminal=True)
    with Screen(console, "digits") as screen:
        screen.show(FIVE)
        screen.print("something happened")
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    assert "microphone" in shown
    assert shown.rindex("something happened") < shown.rindex("microphone")
