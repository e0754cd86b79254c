"""`omnibind fusion`: the process that fuses."""

from __future__ import annotations

from typing import Annotated

from typer import Option

from omnibind_ros.cli import options
from omnibind_ros.cli.serving import serve
from omnibind_ros.config.robot import RobotConfig
from omnibind_ros.config.settings import FusionSettings
from omnibind_ros.fusion.process import FusionProcess


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
    """Fuse the sensors that are live: omnibind/*/embedding in, omnibind/recognition out.

    Sensors need not be listed: one whose embeddings are published takes part. Ctrl-C or SIGTERM ends it;
    SIGHUP reads the robot file anew.
    """
    own = {
        "rate_hz": rate_hz,
        "max_rate_hz": max_rate_hz,
        "unknown_threshold": unknown_threshold,
        "muted_sensors": tuple(mute) if mute else None,
        "threads": threads,
    }

    def config() -> RobotConfig:
        return options.robot_config(robot, {"bundle": bundle, "namespace": namespace, "fusion": own})

    first = config()
    serve(
        lambda node: [FusionProcess(FusionSettings.of(first), node)],
        "fusion",
        first.namespace,
        domain,
        options.zenoh_network(connect, listen, zenoh_config),
        lambda process: FusionSettings.of(config()),
    )
