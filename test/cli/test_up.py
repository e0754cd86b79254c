"""`omnibind up`: mistakes are refused before anything starts, corrections noticed, no process left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bundles import write_stub_bundle
from transport_support import wait_until

from omnibind_ros.cli import main as command_line

ROBOT = """\
bundle: {bundle}
sensors:
  front_camera:
    modality: image
    topic: front_camera/image_raw
"""


@pytest.fixture
def robot(tmp_path: Path) -> Path:
    file = tmp_path / "robot.yaml"
    file.write_text(ROBOT.format(bundle=write_stub_bundle(tmp_path / "stub")))
    return file


@pytest.fixture
def free_hub() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp/127.0.0.1:{probe.getsockname()[1]}"


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line on stderr of a command line that is refused."""
    monkeypatch.setattr(sys, "argv", ["omnibind", "up", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err.count("\n")) == (2, "", 1)
    return err


@pytest.mark.parametrize(
    "right, typo, said",
    [
        ("topic:", "topci:", "line 5: sensors.front_camera.topci: unknown key; did you mean 'topic'?"),
        ("image\n", "imgae\n", "no encoder for 'imgae'; did you mean 'image'?"),
        ("sensors:", "sensors: {", "not valid YAML"),
    ],
)
def test_a_typo_is_one_line(
    robot: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    right: str,
    typo: str,
    said: str,
) -> None:
    robot.write_text(robot.read_text().replace(right, typo, 1))
    assert said in refused(monkeypatch, capsys, robot)


def test_a_damaged_bundle_is_one_line(
    robot: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = robot.parent / "stub" / "image.fp32.onnx"
    data = bytearray(model.read_bytes())
    data[100] ^= 1
    model.write_bytes(data)
    assert "image.fp32.onnx" in refused(monkeypatch, capsys, robot)


def test_a_missing_robot_file_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no configuration file 'robto'" in refused(monkeypatch, capsys, "robto")


@contextmanager
def running(robot: Path, free_hub: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "omnibind_ros.cli.main", "up", str(robot), "--plain"],
        env={**os.environ, "OMNIBIND_ROUTER": free_hub, "ROS_DOMAIN_ID": "43"},
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()


def test_a_robot_starts_and_leaves_nobody_behind(robot: Path, free_hub: str) -> None:
    with running(robot, free_hub) as process:
        assert process.stdout
        missing = {"front_camera", "answer: none, no live sensor"}
        for line in process.stdout:
            missing = {said for said in missing if said not in line}
            if not missing:
                break
        assert not missing
        children = _children(process.pid)
        assert len(children) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_an_encoder_that_refused_its_configuration_starts_when_the_robot_file_is_corrected(
    robot: Path, free_hub: str
) -> None:
    right = robot.read_text()
    robot.write_text(right + "    message_type: std_msgs/msg/String\n")
    with running(robot, free_hub) as process:
        assert process.stdout
        told = iter(process.stdout)
        assert any("encoder_front_camera" in line and "refused its configuration" in line for line in told)
        corrected = robot.with_name("corrected.yaml")
        corrected.write_text(right)
        corrected.replace(robot)
        wait_until(lambda: len(_children(process.pid)) == 2, "the encoder runs")
        assert any("front_camera" in line and "driver" in line for line in told)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
