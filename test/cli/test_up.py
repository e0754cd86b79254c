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
from typing import IO

import pytest
from bundles import write_stub_bundle

from omnibind_ros.cli import main as command_line
from omnibind_ros.cli.up import programs, up
from omnibind_ros.config.robot import load_robot
from omnibind_ros.errors import TransportError

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
def free_router() -> str:
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
def running(robot: Path, router: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "omnibind_ros.cli.main", "up", str(robot), "--plain", *options],
        env={**os.environ, "OMNIBIND_ROUTER": router, "ROS_DOMAIN_ID": "43"},
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


@pytest.mark.parametrize("options", [(), ("--one-process",)])
def test_a_robot_starts_and_leaves_nobody_behind(
    robot: Path, free_router: str, options: tuple[str, ...]
) -> None:
    with running(robot, free_router, *options) as process:
        assert process.stdout
        missing = {"front_camera", "answer: none, no live sensor"}
        for line in process.stdout:
            missing = {said for said in missing if said not in line}
            if not missing:
                break
        assert not missing
        children = _descendants(process.pid)
        assert len(children) == 3, "the fork server, fusion and the encoder"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def _descendants(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    children = [int(child) for task in tasks for child in task.read_text().split()]
    return [*children, *(further for child in children for further in _descendants(child))]


def test_one_process_encodes_all_sensors(robot: Path) -> None:
    robot.write_text(robot.read_text() + "  back_camera: {modality: image, topic: back/image}\n")
    config, bundle = load_robot(robot), robot.parent / "stub"
    assert [program.name for program in programs(config, robot, bundle)] == [
        "fusion",
        "encoder_front_camera",
        "encoder_back_camera",
    ]
    _, encoders = programs(config, robot, bundle, one_process=True)
    assert encoders.command[-4:] == ("--sensor", "front_camera", "--sensor", "back_camera")


def test_a_hangup_changes_settings_of_what_runs(robot: Path, free_router: str) -> None:
    """A mistake is one line and changes nothing; what needs a restart is named; the rest is applied."""
    original = robot.read_text()
    with running(robot, free_router) as process:
        assert process.stdout
        _read_until(process.stdout, "front_camera (image) is")
        robot.write_text(original + "fusion: {rate_hz: fast}\n")
        process.send_signal(signal.SIGHUP)
        assert "rate_hz" in _read_until(process.stdout, "the settings stay as they are")
        robot.write_text(original + "fusion: {threads: 2, muted_sensors: [front_camera]}\n")
        process.send_signal(signal.SIGHUP)
        _read_until(process.stdout, "front_camera (image) is muted", "restart it to change threads")


def test_an_encoder_that_refused_its_configuration_starts_when_the_robot_file_is_corrected(
    robot: Path, free_router: str
) -> None:
    right = robot.read_text()
    robot.write_text(right + "    message_type: std_msgs/msg/String\n")
    with running(robot, free_router) as process:
        assert process.stdout
        _read_until(process.stdout, "encoder_front_camera | refused its configuration")
        corrected = robot.with_name("corrected.yaml")
        corrected.write_text(right)
        corrected.replace(robot)
        _read_until(process.stdout, "front_camera (image) is")


def _read_until(lines: IO[str], *wanted: str) -> str:
    """Read lines until each of some texts has come; the last of them."""
    missing = set(wanted)
    for line in lines:
        missing = {text for text in missing if text not in line}
        if not missing:
            return line
    raise AssertionError(f"no line with {missing}")


def test_a_hangup_while_it_starts_is_ignored(
    robot: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def hang_up(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        raise TransportError("no network")

    monkeypatch.setattr("omnibind_ros.cli.options.transport", hang_up)
    with pytest.raises(TransportError):
        up(str(robot))
    for thread in threading.enumerate():
        if thread.name == "signals":
            thread.join()
    assert caplog.text == ""
