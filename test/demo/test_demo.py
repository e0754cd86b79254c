"""The whole demo with real processes, on a bundle that always says the same."""

from __future__ import annotations

import json
import re
import sys
import threading
from pathlib import Path

import pytest
from bundles import write_stub_bundle
from transport_support import free_port

from omnibind_ros.cli import main as command_line
from omnibind_ros.demo.script import SENSORS


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["omnibind", "demo", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    return int(ended.value.code or 0)


def test_the_story_is_told_and_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The demo must not meet a robot that runs here already.
    monkeypatch.setenv("OMNIBIND_ROUTER", f"tcp/127.0.0.1:{free_port()}")
    bundle, file = write_stub_bundle(tmp_path / "stub"), tmp_path / "demo.json"
    # How fast it was says nothing on a busy machine; what was seen does.
    run(monkeypatch, "--bundle", bundle, "--json", file, "--duration-scale", 0.1, "--plain")
    report = json.loads(file.read_text())
    events = report["events"]
    assert [(e["kind"], e["sensor"]) for e in events[:8]] == [
        ("join", "camera"),
        ("join", "microphone"),
        ("join", "touch"),
        ("kill", "camera"),
        ("join", "event_camera"),
        ("join", "depth"),
        ("join", "thermal"),
        ("cover", "camera"),
    ]
    assert {e["sensor"] for e in events if e["kind"] == "stop"} == SENSORS.keys() - {"camera"}
    assert [(e["kind"], e["sensor"]) for e in events[-2:]] == [("empty", ""), ("join", "event_camera")]
    assert all(e["noticed_ms"] > 0 for e in events if e["kind"] != "cover"), events
    assert report["counts"]["stale"] == report["counts"]["wrong"] == 0
    assert report["counts"]["judged"] > 0
    assert report["answers"][-1]["weights"] == {"event_camera": 1.0}
    assert report["rss_mb"].keys() == {"fusion", *(f"encoder_{sensor}" for sensor in SENSORS)}
    assert max(report["rss_mb"].values()) < 150
    assert threading.active_count() < 20
    out = capsys.readouterr().out
    assert "camera's encoder is killed" in out
    assert re.search(r"answer: 5 \((9\d|100)%\) from camera 100%", out)
    judged = [line for line in out.splitlines() if "✓" in line or "✗" in line]
    assert len(judged) == len(events)
    assert not [line for line in judged if line.rstrip().endswith(("✓", "✗"))], "every event has an answer"


@pytest.mark.parametrize(
    "mistake, said",
    [
        (("--label", "fife"), "recipe 'digits' has no label 'fife'"),
        (("--bundle", "digist"), "no bundle 'digist'"),
        (("--root", "nowhere"), "--root nowhere: there is no such folder"),
        (("--json", "nowhere/demo.json"), "--json nowhere/demo.json: there is no folder nowhere"),
    ],
)
def test_a_mistake_is_one_line_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mistake: tuple[str, str], said: str
) -> None:
    assert run(monkeypatch, *mistake) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err and err.count("\n") == 1
