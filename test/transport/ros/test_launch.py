"""The launch files, run by `ros2 launch` for a package that was just installed."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest
from bundles import write_stub_bundle
from launch.actions import DeclareLaunchArgument
from launch.launch_description import LaunchDescription
from rclpy.duration import Duration
from ros_robot import NodeProcess, Robot
from tiny_bundle import LABELS
from transport_support import GENEROUS_S, wait_until

from omnibind_ros.transport.ros import launching

ROOT = Path(__file__).parents[3]
LAUNCH_FILES = sorted(path.name for path in (ROOT / "launch").glob("*.launch.py"))
PROGRAMS = re.findall(r'"(\w+) = ([\w.]+):(\w+)"', (ROOT / "setup.py").read_text())
"""name, module and function of each executable"""


def described(name: str) -> LaunchDescription:
    spec = importlib.util.spec_from_file_location(name.partition(".")[0], ROOT / "launch" / name)
    assert spec and spec.loader
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate_launch_description()


def arguments(name: str) -> dict[str, DeclareLaunchArgument]:
    return {argument.name: argument for argument in described(name).get_launch_arguments()}


@pytest.mark.parametrize("name", LAUNCH_FILES)
def test_arguments_read_like_documentation(name: str) -> None:
    for argument in arguments(name).values():
        # launch adds the choices by itself.
        description, _, _ = (argument.description or "").partition(" Valid choices are:")
        assert re.fullmatch(r"[A-Z].*\.", description), argument.name


def test_what_can_be_told_to_whom() -> None:
    assert LAUNCH_FILES == ["demo.launch.py", "fusion.launch.py", "sensor.launch.py"]
    common = {"params_file", "bundle", "namespace", "log_level", "use_sim_time", "backend"}
    assert arguments("fusion.launch.py").keys() == {"robot_file", "one_process", *common}
    sensor = arguments("sensor.launch.py")
    assert sensor.keys() == {"sensor", "modality", "topic", "message_type", "frame_id", *common}
    needed = {name for name, argument in sensor.items() if argument.default_value is None}
    assert needed == {"sensor", "modality", "topic"}


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as colcon would have installed it, with links into this checkout."""
    prefix = tmp_path_factory.mktemp("install")
    index = prefix / "share" / "ament_index" / "resource_index" / "packages"
    launch_files = prefix / "share" / "omnibind_ros" / "launch"
    programs = prefix / "lib" / "omnibind_ros"
    for folder in (index, launch_files, programs):
        folder.mkdir(parents=True)
    (index / "omnibind_ros").touch()
    for name in LAUNCH_FILES:
        (launch_files / name).symlink_to(ROOT / "launch" / name)
    for name, module, function in PROGRAMS:
        program = programs / name
        lines = (f"#!{sys.executable}", "import sys", f"from {module} import {function}")
        program.write_text("\n".join([*lines, f"sys.exit({function}())", ""]))
        program.chmod(0o755)
    return prefix


Launch = Callable[..., NodeProcess]


@pytest.fixture
def launch(workspace: Path) -> Iterator[Launch]:
    """`launch("fusion.launch.py", name=value)` is `ros2 launch omnibind_ros fusion.launch.py name:=value`."""
    environment = {
        "AMENT_PREFIX_PATH": os.pathsep.join([str(workspace), os.environ["AMENT_PREFIX_PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    started: list[NodeProcess] = []

    def start(file: str, **given: object) -> NodeProcess:
        ros2 = (sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())")
        words = [f"{name}:={value}" for name, value in given.items()]
        started.append(NodeProcess(file, (*ros2, "launch", "omnibind_ros", file, *words), environment))
        return started[-1]

    yield start
    for process in started:
        process.end()


def processes(launched: NodeProcess) -> dict[int, str]:
    """Process number -> command line, of whatever was launched and runs."""
    running = {}
    for number in re.findall(r"process started with pid \[(\d+)\]", "\n".join(launched.lines)):
        with suppress(OSError):
            running[int(number)] = Path(f"/proc/{number}/cmdline").read_text().replace("\0", " ")
    return {number: command for number, command in running.items() if command}


def interrupt(launched: NodeProcess, unwanted: str = "SIGTERM|SIGKILL|Traceback|process has died") -> float:
    """Ctrl-C, after which everything ends by itself, and with status 0; when it was sent."""
    sent = time.monotonic()
    os.killpg(launched.child.pid, signal.SIGINT)  # as a terminal does
    assert launched.ended() in (0, 1, -signal.SIGINT), launched.lines
    wait_until(lambda: not processes(launched), "nothing runs any more")
    told = "\n".join(launched.lines)
    assert not re.search(unwanted, told.rpartition("user interrupted")[2])
    return sent


ROBOT = """\
bundle: {bundle}
fusion:
  top_k: 2
sensors:
  eye: {{modality: image, topic: eye/raw, respawn_delay_s: 0.1}}
  absent: {{modality: text, topic: absent/raw}}
"""
PARAMETERS = """\
/**/fusion:
  ros__parameters:
    rate_hz: 20
"""


def test_a_robot_is_launched_joined_by_a_sensor_and_respawned(
    bundle: Path, tmp_path: Path, launch: Launch
) -> None:
    robot_file, params_file = tmp_path / "robot.yaml", tmp_path / "parameters.yaml"
    robot_file.write_text(ROBOT.format(bundle=bundle))
    params_file.write_text(PARAMETERS)
    space = {"namespace": "launched"}
    with Robot(bundle, **space, launched=True) as robot:
        robot.camera("eye", 2)
        robot.camera("wrist", 3)
        launched = launch("fusion.launch.py", robot_file=robot_file, params_file=params_file, **space)
        robot.witness.until_answer("eye", LABELS[2])
        robot.wait_for_encoder("absent")
        assert robot.get("fusion", "top_k") == 2
        offered = [offer.deadline for offer in robot.offered("omnibind/recognition")]
        assert offered == [Duration(seconds=2 / 20)]

        wrist = {"sensor": "wrist", "modality": "image", "topic": "wrist/raw", "bundle": bundle}
        sensor = launch("sensor.launch.py", **wrist, **space)
        robot.witness.until("wrist", True)
        robot.witness.until("wrist", False, interrupt(sensor))

        (eye,) = (pid for pid, command in processes(launched).items() if "encoder_eye" in command)
        killed = time.monotonic()
        os.kill(eye, signal.SIGKILL)
        gone = robot.witness.until("eye", False, killed)
        robot.witness.until("eye", True, killed + gone)
        launched.prints("process has died")

        interrupt(launched)
        robot.witness.until("eye", False, killed + gone)
        wait_until(lambda: not robot.offered("omnibind/recognition"), "fusion has left")


def test_a_robot_in_one_process(bundle: Path, tmp_path: Path, launch: Launch) -> None:
    robot_file, params_file = tmp_path / "robot.yaml", tmp_path / "parameters.yaml"
    robot_file.write_text(ROBOT.format(bundle=bundle))
    params_file.write_text(PARAMETERS)
    space = {"namespace": "together"}
    with Robot(bundle, **space, launched=True) as robot:
        robot.camera("eye", 2)
        launched = launch(
            "fusion.launch.py", robot_file=robot_file, params_file=params_file, one_process="true", **space
        )
        robot.witness.until_answer("eye", LABELS[2])
        robot.wait_for_encoder("absent")
        (pid,) = processes(launched)
        assert robot.get("fusion", "top_k") == 2
        assert robot.get("fusion", "rate_hz") == 20.0
        assert robot.get("encoder_absent", "topic") == "absent/raw"

        # Each is a node of its own.
        assert robot.transition("encoder_eye", "deactivate")
        assert (robot.state("encoder_eye"), robot.state("fusion")) == ("inactive", "active")
        robot.witness.next_answer(lambda message: not message.results)
        assert robot.transition("encoder_eye", "activate")
        robot.witness.next_answer(lambda message: bool(message.results))

        os.kill(pid, signal.SIGKILL)
        launched.prints("process has died")
        restarted = len(robot.witness.answers)
        wait_until(lambda: any(m.results for _, m in robot.witness.answers[restarted:]), "it is restarted")
        interrupt(launched)


def test_an_interrupt_while_the_nodes_start_ends_them_without_a_traceback(
    bundle: Path, tmp_path: Path, launch: Launch
) -> None:
    robot_file = tmp_path / "robot.yaml"
    robot_file.write_text(ROBOT.format(bundle=bundle))
    for nodes in (1, 3):
        launched = launch("fusion.launch.py", robot_file=robot_file, namespace=f"interrupted{nodes}")
        wait_until(lambda launched=launched, nodes=nodes: len(processes(launched)) >= nodes, "the nodes")
        # launch itself may report 255 for a process that ends in the moment in which it signals it.
        interrupt(launched, unwanted="SIGTERM|SIGKILL|Traceback")


def test_a_sensor_that_cannot_be_is_refused_before_anything_starts(launch: Launch) -> None:
    launched = launch("sensor.launch.py", sensor="Wrist-1", modality="touch", topic="wrist/raw")
    assert launched.ended() != 0
    assert "parameter sensor: " in "\n".join(launched.lines)
    assert not processes(launched)


def test_a_missing_parameter_file_is_refused_before_anything_starts(
    bundle: Path, tmp_path: Path, launch: Launch
) -> None:
    robot_file = tmp_path / "robot.yaml"
    robot_file.write_text(ROBOT.format(bundle=bundle))
    launched = launch("fusion.launch.py", robot_file=robot_file, params_file=tmp_path / "missing.yaml")
    assert launched.ended() != 0
    assert f"params_file:={tmp_path}/missing.yaml: no such file" in "\n".join(launched.lines)
    assert not processes(launched)


def test_a_node_that_refuses_its_arguments_is_not_respawned(
    bundle: Path, tmp_path: Path, launch: Launch
) -> None:
    robot_file, params_file = tmp_path / "robot.yaml", tmp_path / "parameters.yaml"
    robot_file.write_text(ROBOT.format(bundle=bundle))
    params_file.write_text("/**:\n  ros__parameters:\n    autostart: maybe\n")
    launched = launch("fusion.launch.py", robot_file=robot_file, params_file=params_file)
    launched.ended()
    told = "\n".join(launched.lines)
    assert len(re.findall("process started with pid", told)) == 3
    assert len(re.findall("the node cannot start: .*'autostart' to 'maybe'", told)) == 3
    assert len(re.findall(r"refused its arguments; it is not restarted", told)) == 3
    assert "Traceback" not in told


def test_without_an_enclave_a_secured_robot_refuses_to_start(
    bundle: Path, tmp_path: Path, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Enforce")
    monkeypatch.delenv("ROS_SECURITY_KEYSTORE", raising=False)
    robot_file = tmp_path / "robot.yaml"
    robot_file.write_text(ROBOT.format(bundle=bundle))
    launched = launch("fusion.launch.py", robot_file=robot_file, one_process="true")
    launched.ended()
    told = "\n".join(launched.lines)
    assert len(re.findall("process started with pid", told)) == 1
    assert len(re.findall("the node cannot start: .*check ROS_SECURITY_KEYSTORE", told)) == 1
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "distribution, given, warned",
    [
        ("humble", {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, True),
        ("humble", {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_LOCALHOST_ONLY": "1"}, False),
        ("humble", {}, False),
        ("jazzy", {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}, False),
    ],
)
def test_humble_is_warned_of_a_discovery_range_that_it_ignores(
    distribution: str, given: dict[str, str], warned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"ROS_DISTRO": distribution, **given}.items():
        monkeypatch.setenv(name, value)
    warnings: list[str] = []
    monkeypatch.setattr(launching._log, "warning", warnings.append)
    launching.warn_of_discovery()
    assert any("set ROS_LOCALHOST_ONLY=1" in text for text in warnings) == warned


def test_a_demo_that_fails_makes_its_launch_fail(tmp_path: Path, launch: Launch) -> None:
    launched = launch("demo.launch.py", bundle=tmp_path / "missing")
    assert launched.ended() == 1
    assert "the demo ended with status" in "\n".join(launched.lines)


def test_the_demo_is_launched_and_judged(tmp_path: Path, launch: Launch) -> None:
    bundle, report = write_stub_bundle(tmp_path / "stub"), tmp_path / "demo.json"
    launched = launch("demo.launch.py", bundle=bundle, json=report, duration_scale=0.1)
    status = launched.ended(within_s=5 * GENEROUS_S)
    told = json.loads(report.read_text())
    assert status == (0 if told["passed"] else 1)
    assert {event["kind"] for event in told["events"]} >= {"join", "kill", "stop", "empty"}
    assert told["counts"]["judged"] > 0
    assert told["counts"]["wrong"] == 0
    launched.prints("answer: 5 (100%)")
