"""`omnibind play`: a driver made of recordings, of simulated sensors, or of a ROS 2 bag."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from omnibind_ros.cli import options
from omnibind_ros.config.resources import find_config
from omnibind_ros.config.robot import load_robot
from omnibind_ros.core.errors import ConfigError
from omnibind_ros.core.modality import Modality
from omnibind_ros.standalone.bag import is_bag, play_bag
from omnibind_ros.standalone.node import Node
from omnibind_ros.standalone.player import play_samples
from omnibind_ros.standalone.signals import stop_on_signals


def play(
    source: Annotated[str, Argument(metavar="RECIPE|BAG", help="A recipe, e.g. digits, or a bag's path.")],
    root: options.DataRoot = None,
    label: Annotated[str | None, Option(help="What the recordings show, e.g. 3.")] = None,
    modality: Annotated[str | None, Option(help="Which kind of sensor to play, e.g. audio.")] = None,
    topic: Annotated[str | None, Option(help="Where to publish.  [as in the default robot file]")] = None,
    simulated: Annotated[bool, Option("--simulated", help="Simulated samples, no recordings.")] = False,
    rate: Annotated[float, Option(min=0.01, max=100.0, help="Speed; 2 is twice as fast.")] = 1.0,
    loop: Annotated[
        bool | None, Option("--loop/--once", help="Without end, or once.  [recipes loop, bags do not]")
    ] = None,
    fault: Annotated[
        str | None, Option(help="covered: a camera that sees nothing. frozen: one sample again and again.")
    ] = None,
    seed: Annotated[int | None, Option(help="Makes the choice of samples repeatable.")] = None,
    namespace: options.Namespace = None,
    domain: options.Domain = None,
    connect: options.Connect = None,
    listen: options.Listen = None,
    zenoh_config: options.ZenohConfig = None,
) -> None:
    """Publish raw sensor messages at their real rate, as a driver would.

    omnibind play digits --root DATA --label 3 --modality audio

    omnibind play recorded.mcap --loop
    """
    network = options.network(connect, listen, zenoh_config)
    namespace = namespace or ""
    if is_bag(source):
        with stop_on_signals() as stop, Node("player", namespace, domain, network) as node:
            play_bag(node, Path(source), stop, rate=rate, loop=bool(loop))
        return
    if label is None or modality is None:
        raise ConfigError("say what to play: --label and --modality, e.g. --label 3 --modality audio")
    samples = _samples(source, root, label, modality, simulated, loop is not False, seed)
    topic = topic or _usual_topic(modality)
    with stop_on_signals() as stop, Node(f"player_{modality}", namespace, domain, network) as node:
        play_samples(node, topic, modality, samples, stop, rate=rate, fault=fault, seed=seed)
