"""`omnibind play`: a driver made of recordings, of simulated sensors, or of a ROS 2 bag."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from typer import Argument, Option

from omnibind_ros.cli import options
from omnibind_ros.config.resources import find_config
from omnibind_ros.config.robot import load_robot
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.play import player
from omnibind_ros.play.bag import is_bag, play_bag
from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.types import Modality


def play(
    source: Annotated[str, Argument(metavar="RECIPE|BAG", help="A recipe, e.g. digits, or a bag's path.")],
    root: options.DataRoot = None,
    label: Annotated[str | None, Option(help="What the recordings show, e.g. 3.")] = None,
    modality: Annotated[str | None, Option(help="Which kind of sensor to play, e.g. audio.")] = None,
    topic: Annotated[
        str | None, Option(help="Where to publish  [as in the default robot file]; of a bag: only this one.")
    ] = None,
    simulated: Annotated[bool, Option("--simulated", help="Simulated samples, no recordings.")] = False,
    rate: Annotated[float, Option(min=0.01, max=100.0, help="Speed; 2 is twice as fast.")] = 1.0,
    loop: Annotated[
        bool | None, Option("--loop/--once", help="Without end, or once.  [recipes loop, bags do not]")
    ] = None,
    fault: Annotated[
        str | None, Option(help="covered: a camera that sees nothing. frozen: one sample again and again.")
    ] = None,
    seed: Annotated[int | None, Option(help="Makes the choice of samples repeatable.")] = None,
    ros: options.OnRos = False,
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
    reach = (namespace, domain, connect, listen, zenoh_config)
    if is_bag(source):
        with stop_on_signals() as stop, options.transport(ros, "player", *reach) as transport:
            play_bag(transport, Path(source), stop, rate=rate, loop=bool(loop), topic=topic)
        return
    if label is None or modality is None:
        raise ConfigError("nothing to play: give --label and --modality, e.g. --label 3 --modality audio")
    samples = _samples(source, root, label, modality, simulated, loop is not False, seed)
    topic = topic or _usual_topic(modality)
    with stop_on_signals() as stop, options.transport(ros, f"player_{modality}", *reach) as transport:
        player.play(transport, topic, modality, samples, stop, rate=rate, fault=fault, seed=seed)


def _samples(
    recipe_name: str,
    root: Path | None,
    label: str,
    modality: Modality,
    simulated: bool,
    loop: bool,
    seed: int | None,
) -> Iterator[Any]:
    recipe = load_recipe(recipe_name)
    recipe.check_label(label)
    recipe.check_modality(modality)
    rng = np.random.default_rng(seed)
    if simulated:
        if modality not in recipe.simulated:
            raise ConfigError(f"recipe {recipe_name!r} has no simulated {modality!r}; play its recordings")
        scene = Scene(int(label), int(rng.integers(2**31)) if seed is None else seed)
        return (scene.sample(modality) for _ in (count() if loop else range(1)))
    if root is None:
        raise ConfigError("no data folder: pass --root or set OMNIBIND_DATA, or pass --simulated")
    recordings = read_recordings(recipe, root, (modality,), label)
    return (recording.load() for recording in player.shuffled(recordings, rng, loop=loop))


def _usual_topic(modality: Modality) -> str:
    for sensor in load_robot(find_config("robot")).sensors.values():
        if sensor.modality == modality:
            return sensor.topic
    raise ConfigError(f"no topic: pass --topic; the default robot file has no {modality} sensor")
