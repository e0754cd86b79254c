"""Start values: converted, reported if they are invalid, and loaded again from a dump."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from ros_robot import EXECUTABLES, NodeProcess, Robot
from transport_support import wait_until

from omnibind_ros.process.child import run_main


def dumped(node: str) -> str:
    """The output of `ros2 param dump`, once it has discovered the node."""
    ros2 = (sys.executable, "-c", "import sys; from ros2cli.cli import main; sys.exit(main())")
    command = (*ros2, "param", "dump", node, "--no-daemon", "--spin-time", "1")
    dump = lambda: subprocess.run(command, capture_output=True, text=True).stdout  # noqa: E731
    return str(wait_until(dump, f"a dump of {node}"))


def fusion_process(*ros_arguments: str) -> NodeProcess:
    return NodeProcess("fusion", run_main(EXECUTABLES, "fusion_node", "--ros-args", *ros_arguments))


def test_a_dump_of_the_parameters_can_be_loaded_again(bundle: Path, tmp_path: Path) -> None:
    with Robot(bundle, "dumped", fusion={"rate_hz": 5, "unknown_threshold": 0}) as robot:
        robot.camera("eye", 2)
        encoder = robot.encoder("eye")
        robot.witness.until("eye", True)
        texts = {node: dumped(f"/dumped/{node}") for node in ("fusion", "encoder_eye")}
        assert "muted_sensors: []" in texts["fusion"]
        files = {node: tmp_path / f"{node}.yaml" for node in texts}
        for node, text in texts.items():
            files[node].write_text(text)
        assert robot.fusion
        for process in (robot.fusion, encoder):
            process.end()

        again = ("-r", "__ns:=/dumped", "--params-file")
        robot.fusion = fusion_process(*again, str(files["fusion"]))
        name = ("-r", "__node:=encoder_eye")
        started = time.monotonic()
        command = run_main(EXECUTABLES, "encoder_node", "--ros-args", *name, *again, files["encoder_eye"])
        robot.add(NodeProcess("eye", command))
        robot.witness.until("eye", True, started)
        for node, text in texts.items():
            assert dumped(f"/dumped/{node}") == text


@pytest.mark.parametrize(
    "name, value, right, reason",
    [
        ("rate_hz", "5000", "20", "parameter rate_hz: should be less than or equal to 1000, not 5000.0"),
        ("rate_hz", "quick", "20.0", "parameter rate_hz: should be a valid number, not 'quick'"),
        ("top_k", "0", "1", "parameter top_k: should be greater than or equal to 1, not 0"),
        ("muted_sensors", "[1]", "[]", "parameter muted_sensors.0: should be a valid string, not 1"),
    ],
)
def test_an_invalid_start_value_is_reported_in_one_line_until_it_is_corrected(
    bundle: Path, name: str, value: str, right: str, reason: str
) -> None:
    namespace = f"start_{name}_{value.strip('[]')}"
    with Robot(bundle, namespace, fusion={name: value}) as robot:
        status = robot.status_name("fusion", "recognition")
        robot.witness.report(status, lambda values: values["message"] == f"cannot configure: {reason}")
        assert robot.state("fusion") == "unconfigured"
        assert not robot.transition("fusion", "configure")
        assert robot.set("fusion", name, right) == ""
        assert robot.transition("fusion", "configure")
        assert robot.transition("fusion", "activate")
        robot.witness.next_answer(lambda message: not message.results)
        assert robot.fusion
        errors = [line.partition("cannot configure: ")[2] for line in robot.fusion.lines if "ERROR" in line]
        assert errors == [reason, reason]


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (("-p", "autostart:=maybe"), "'autostart' to 'maybe' of type 'STRING', expecting type 'BOOL'"),
        (("-p", "use_sim_time:=maybe"), "'use_sim_time'"),
        (("--params-file", "missing.yaml"), "Couldn't parse params file: '--params-file missing.yaml'"),
        (("-p", "muted_sensors:=[1, a]"), "Sequence should be of same type"),
    ],
)
def test_arguments_that_ros_itself_refuses_end_the_node_with_one_line(
    arguments: tuple[str, ...], reason: str
) -> None:
    node = fusion_process(*arguments)
    assert node.ended() == 2
    wait_until(lambda: any("the node cannot start: " in line for line in node.lines), "a reason")
    (line,) = (line for line in node.lines if "[omnibind_ros]" in line)
    assert reason in line
    assert "Traceback" not in "\n".join(node.lines)
