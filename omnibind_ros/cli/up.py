"""`omnibind up`: all processes of a robot, from one robot file."""

from __future__ import annotations

import signal
from contextlib import closing
from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import Argument, Option

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.cli import options
from omnibind_ros.config.resources import find_config
from omnibind_ros.config.robot import RobotConfig, check_modalities, load_robot
from omnibind_ros.errors import ConfigError
from omnibind_ros.monitor.monitor import Monitor
from omnibind_ros.monitor.table import Screen
from omnibind_ros.process.fork_server import ForkServer
from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.process.supervisor import Program, Supervisor


def up(
    robot_file: Annotated[
        str, Argument(metavar="ROBOT", help="Robot file: a path, or the name of a file in config/.")
    ] = "robot",
    plain: Annotated[bool, Option("--plain", help="Print lines instead of the live table.")] = False,
    one_process: Annotated[
        bool,
        Option("--one-process", help="All encoders in one process: less memory, but they crash together."),
    ] = False,
    domain: options.Domain = None,
    connect: options.Connect = None,
    listen: options.Listen = None,
    zenoh_config: options.ZenohConfig = None,
) -> None:
    """Start fusion and all encoders of a robot, restart them after a crash, and show the live table.

    Each is a process of its own. Ctrl-C or SIGTERM ends all of them; on SIGHUP they reload the robot file.
    """
    file = find_config(robot_file)
    robot = load_robot(file)
    bundle = Bundle.load(robot.bundle)
    check_modalities(robot, bundle.modalities, bundle.name)
    environment = _environment(domain, connect, listen, zenoh_config)
    supervisor: Supervisor | None = None

    def reload() -> None:
        if supervisor is not None:  # else the processes have yet to read the robot file
            supervisor.send(signal.SIGHUP)

    with (
        stop_on_signals(on_hangup=reload) as stop,
        options.transport(
            False, "supervisor", robot.namespace, domain, connect, listen, zenoh_config
        ) as transport,
        closing(ForkServer(["omnibind_ros.cli.preload"])) as forks,
        Screen(Console(), f"{file.stem} · bundle {bundle.name}", plain=plain) as screen,
    ):
        monitor = Monitor(transport)
        supervisor = Supervisor(
            programs(robot, file, bundle.folder, one_process),
            screen.add_line,
            environment,
            spawn=forks.spawn,
        )
        supervisor.start()
        try:
            while not stop.wait(0.05) and not supervisor.idle:
                screen.show(monitor.snapshot())
        finally:
            supervisor.stop()
            screen.show(monitor.snapshot())
    if supervisor.refused:
        raise ConfigError(f"{file}: refused by {', '.join(supervisor.refused)}; see above")


def programs(robot: RobotConfig, file: Path, bundle: Path, one_process: bool = False) -> list[Program]:
    """The commands of a robot, fusion first.

    Args:
        file, bundle: the robot file and the folder of its bundle.
        one_process: one command for all encoders.
    """
    inputs = (file, bundle)
    fusion = Program("fusion", ("fusion", "--robot", str(file)), depends_on=inputs)
    if one_process and robot.sensors:
        sensors = [word for name in robot.sensors for word in ("--sensor", name)]
        command = ("encoder", "--robot", str(file), *sensors)
        return [fusion, Program("encoders", command, depends_on=inputs)]
    encoders = [
        Program(
            f"encoder_{name}",
            ("encoder", "--robot", str(file), "--sensor", name),
            sensor.respawn,
            sensor.respawn_delay_s,
            depends_on=inputs,
        )
        for name, sensor in robot.sensors.items()
    ]
    return [fusion, *encoders]


def _environment(
    domain: int | None, connect: list[str] | None, listen: list[str] | None, zenoh_config: Path | None
) -> dict[str, str]:
    """The network options as environment variables, which every command reads."""
    given = {
        "ROS_DOMAIN_ID": domain,
        "OMNIBIND_CONNECT": " ".join(connect or ()),
        "OMNIBIND_LISTEN": " ".join(listen or ()),
        "OMNIBIND_ZENOH_CONFIG": zenoh_config,
    }
    return {name: str(value) for name, value in given.items() if value not in (None, "")}
