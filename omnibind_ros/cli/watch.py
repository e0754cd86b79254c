"""`omnibind watch`: what a running robot recognises, and from what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from rich.console import Console
from typer import Option

from omnibind_ros.cli import options
from omnibind_ros.monitor.robot_view import Watch
from omnibind_ros.monitor.table import Screen
from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.session import Network
from omnibind_ros.transport.zenoh.watch import watch as look_at


def watch(
    plain: Annotated[bool, Option("--plain", help="Lines instead of the live table.")] = False,
    ros: options.OnRos = False,
    namespace: options.Namespace = None,
    domain: options.Domain = None,
    connect: options.Connect = None,
    listen: options.Listen = None,
    zenoh_config: options.ZenohConfig = None,
) -> None:
    """The live table of sensors, weights and the answer of any running robot; it disturbs nothing.

    Ctrl-C ends it.
    """
    network = options.network(connect, listen, zenoh_config)
    title = (namespace or "").strip("/")
    with (
        stop_on_signals() as stop,
        _robot(ros, namespace or "", domain, network) as robot,
        Screen(Console(), title, plain=plain) as screen,
    ):
        while not stop.wait(0.05):
            screen.show(robot.picture())


@contextmanager
def _robot(ros: bool, namespace: str, domain: int | None, network: Network) -> Iterator[Watch]:
    if ros:
        options.require_ros2()
        from omnibind_ros.transport.ros.session import ros_node  # where there is ROS 2
        from omnibind_ros.transport.ros.watch import watch as look_at_ros

        with ros_node("watch", namespace, domain) as node:
            yield look_at_ros(node)
    else:
        with Node("watch", namespace, domain, network) as zenoh_node:
            yield look_at(zenoh_node)
