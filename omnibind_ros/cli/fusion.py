"""`omnibind fusion`: the process that fuses."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from omnibind_ros.cli import options
from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.transport.zenoh.fusion import FusionProcess


def fusion(
    robot: options.RobotFile = None,
    bundle: options.BundleName = None,
    rate_hz: Annotated[float | None, Option(help="Recognitions a second at least.  [10]")] = None,
    max_rate_hz: Annotated[float | None, Option(help="And at most.  [50]")] = None,
    unknown_threshold: Annotated[
        float | None, Option(help="Below this probability the answer is `unknown`.  [as calibrated]")
    ] = None,
    mute: Annotated[
        list[str] | None, Option(metavar="SENSOR", help="Leave this sensor out. May be given several times.")
    ] = None,
    threads: Annotated[int | None, Option(help="Threads of the fusion engine.  [1]")] = None,
    namespace: options.Namespace = None,
    domain: options.Domain = None,
    connect: options.Connect = None,
    listen: options.Listen = None,
    zenoh_config: options.ZenohConfig = None,
) -> None:
    """Fuse whatever sensors are live: omnibind/*/embedding in, omnibind/recognition out.

    Sensors need not be listed anywhere: who publishes an embedding takes part. Ctrl-C or SIGTERM ends it.
    """
    own = {
        "rate_hz": rate_hz,
        "max_rate_hz": max_rate_hz,
        "unknown_threshold": unknown_threshold,
        "muted_sensors": tuple(mute) if mute else None,
        "threads": threads,
    }
    config = options.robot_config(robot, {"bundle": bundle, "namespace": namespace, "fusion": own})
    network = options.network(connect, listen, zenoh_config)
    with stop_on_signals() as stop, FusionProcess(config, network=network, domain=domain):
        stop.wait()
