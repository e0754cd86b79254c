"""`omnibind watch`: what a running robot recognises, and from what."""

from __future__ import annotations

from typing import Annotated

from rich.console import Console
from typer import Option

from omnibind_ros.cli import options
from omnibind_ros.runtime.signals import stop_on_signals
from omnibind_ros.screen.table import Screen
from omnibind_ros.standalone.node import Node
from omnibind_ros.standalone.watch import watch as look_at


def watch(
    plain: Annotated[bool, Option("--plain", help="Lines instead of the live table.")] = False,
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
    with (
        stop_on_signals() as stop,
        Node("watch", namespace or "", domain, network) as node,
        Screen(Console(), node.namespace.strip("/"), plain=plain) as screen,
    ):
        robot = look_at(node)
        while not stop.wait(0.05):
            screen.show(robot.picture())
