"""`omnibind watch`: what a running robot recognises, and from what."""

from __future__ import annotations

from typing import Annotated

from rich.console import Console
from typer import Option

from omnibind_ros.cli import options
from omnibind_ros.monitor.monitor import Monitor
from omnibind_ros.monitor.table import Screen
from omnibind_ros.process.signals import stop_on_signals


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
    title = (namespace or "").strip("/")
    with (
        stop_on_signals() as stop,
        options.transport(ros, "watch", namespace, domain, connect, listen, zenoh_config) as transport,
        Screen(Console(), title, plain=plain) as screen,
    ):
        monitor = Monitor(transport)
        while not stop.wait(0.05):
            screen.show(monitor.snapshot())
