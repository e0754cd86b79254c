"""`omnibind up`: a whole robot, from one file."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Annotated

from rich.console import Console
from typer import Argument, Option

from omnibind_ros.cli import options
from omnibind_ros.config.resources import find_config
from omnibind_ros.config.robot import RobotConfig, check_modalities, load_robot
from omnibind_ros.core.errors import ConfigError
from omnibind_ros.inference.bundle import Bundle
from omnibind_ros.standalone.child import omnibind
from omnibind_ros.standalone.node import Node
from omnibind_ros.standalone.signals import stop_on_signals
from omnibind_ros.standalone.supervisor import Program, Supervisor
from omnibind_ros.standalone.table import Screen
from omnibind_ros.standalone.watch import Watch

_LINES_KEPT = 1000


def up(
    robot_file: Annotated[
        str, Argument(metavar="ROBOT", help="Robot file: a path, or a name as in config/.")
    ] = "robot",
    plain: Annotated[bool, Option("--plain", help="Lines instead of the live table.")] = False,
    domain: options.Domain = None,
    connect: options.Connect = None,
    listen: options.Listen = None,
    zenoh_config: options.ZenohConfig = None,
) -> None:
    """Start fusion and all encoders of a robot, restart what crashes, and show what it recognises.

    Each is a process of its own. Ctrl-C or SIGTERM ends them all.
    """
    file = find_config(robot_file)
    robot = load_robot(file)
    bundle = Bundle.load(robot.bundle)
    check_modalities(robot, bundle.modalities, bundle.name)
    network = options.network(connect, listen, zenoh_config)
    environment = options.environment(domain, connect, listen, zenoh_config)
    # A terminal that is scrolled or stopped must not stop the robot: lines are handed over, the oldest are lost.
    lines: deque[tuple[str, str]] = deque(maxlen=_LINES_KEPT)
    supervisor = Supervisor(programs(robot, file), lambda name, line: lines.append((name, line)), environment)
    with (
        stop_on_signals() as stop,
        Node("supervisor", robot.namespace, domain, network) as node,
        Screen(Console(), f"{file.stem} · bundle {bundle.name}", plain=plain) as screen,
    ):
        watch = Watch(node)
        supervisor.start()
        try:
            while not stop.wait(0.05) and not supervisor.idle:
                _say_all(lines, screen)
                screen.show(watch.picture())
        finally:
            supervisor.stop()
            _say_all(lines, screen)
    if supervisor.refused:
        raise ConfigError(f"{file}: refused by {', '.join(supervisor.refused)}; see above")


def programs(robot: RobotConfig, file: Path) -> list[Program]:
    """The processes of a robot, fusion first."""
    encoders = [
        Program(
            f"encoder_{name}",
            omnibind("encoder", "--robot", file, "--sensor", name),
            sensor.respawn,
            sensor.respawn_delay_s,
        )
        for name, sensor in robot.sensors.items()
    ]
    return [Program("fusion", omnibind("fusion", "--robot", file)), *encoders]


def _say_all(lines: deque[tuple[str, str]], screen: Screen) -> None:
    while lines:
        name, line = lines.popleft()
        screen.say(f"{name} | {line}", style="bright_black")
