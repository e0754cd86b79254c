"""`omnibind demo`: a scripted robot in processes of its own, its timeline, and a verdict."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.text import Text
from typer import Exit, Option

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.cli import options
from omnibind_ros.demo.programs import RosPrograms, ZenohPrograms
from omnibind_ros.demo.recorder import Recorder
from omnibind_ros.demo.script import SENSORS, Interrupted, Options, Outcome, run_demo
from omnibind_ros.demo.timeline import Entry
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.monitor.monitor import Monitor
from omnibind_ros.monitor.table import Screen
from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.session import Network

_FAILED, _INTERRUPTED = 1, 130


def demo(
    root: Annotated[Path | None, Option(help="Folder of recordings to play.  [simulated sensors]")] = None,
    label: Annotated[str, Option(help="What the sensors are shown.")] = "5",
    json_file: Annotated[
        Path | None, Option("--json", metavar="FILE", help="Write the timeline here.")
    ] = None,
    seed: Annotated[int, Option(help="Makes the choice of samples repeatable.")] = 0,
    bundle: Annotated[str, Option(help="Name of an installed bundle, or its folder.")] = "digits",
    duration_scale: Annotated[
        float, Option(min=0.0, max=100.0, help="How long each step is looked at; 1 is 2 seconds.")
    ] = 1.0,
    plain: Annotated[bool, Option("--plain", help="Lines instead of the live table.")] = False,
    ros: options.OnRos = False,
) -> None:
    """Sensors join, are killed, covered and pulled while recognition goes on; then the timeline.

    Exit status 1: an answer was wrong while two healthy sensors or more were live, or a change was noticed
    too late.
    """
    _check(label, bundle, root, json_file)
    chosen = Options(label, root, seed=seed, bundle=bundle, pace=duration_scale)
    console = Console()
    title = f"demo · {'recordings' if root else 'simulated sensors'} of {label}"
    try:
        with stop_on_signals() as stop, Screen(console, title, plain=plain) as screen:
            outcome = _run(chosen, ros, screen, stop)
    except Interrupted:
        raise Exit(_INTERRUPTED) from None
    for line in timeline(outcome):
        console.print(line, soft_wrap=True)
    if json_file:
        json_file.write_text(json.dumps(report(chosen, outcome), indent=2) + "\n", encoding="utf-8")
    if not outcome.verdict.passed:
        raise Exit(_FAILED)


def _run(chosen: Options, ros: bool, screen: Screen, stop: threading.Event) -> Outcome:
    if ros:
        options.require_ros2()
        from omnibind_ros.transport.ros.session import ros_transport  # only where there is ROS 2

        programs = RosPrograms()
        os.environ.update(programs.environment)  # for the node below, too
        with ros_transport("demo") as transport:
            return run_demo(chosen, programs, Recorder(transport), Monitor(transport), screen, stop)
    alone = ZenohPrograms()
    with Node("demo", domain=alone.domain, network=Network(router=alone.router)) as node:
        return run_demo(chosen, alone, Recorder(node), Monitor(node), screen, stop)


def report(chosen: Options, outcome: Outcome) -> dict[str, object]:
    """The timeline and everything measured, as JSON values."""
    return {
        **outcome.verdict.report(),
        "source": str(chosen.root) if chosen.root else "simulated",
        "seed": chosen.seed,
        "bundle": chosen.bundle,
        "rss_mb": {name: round(mb, 1) for name, mb in outcome.peak_rss_mb.items()},
    }


def timeline(outcome: Outcome) -> list[Text]:
    """The timeline in 80 columns."""
    verdict = outcome.verdict
    header = f" {'at':>7}  {'what happened':34} {'noticed':>8} {'limit':>7}   answer"
    lines = [Text(), Text(header, "bright_black")]
    for event in verdict.events:
        lines.append(_event(event))
        weights = event.answer.weights if event.answer else {}
        heaviest = sorted(weights.items(), key=lambda item: -item[1])
        if heaviest:
            shares = "  ".join(f"{sensor} {weight:.0%}" for sensor, weight in heaviest)
            lines.append(Text(f"{'':10}{shares}", "bright_black"))
    counts = verdict.report()["counts"]
    lines += [
        Text(),
        Text(f" {counts['answers']} answers, {counts['stale']} of them stale"),
        Text(
            f" {counts['judged']} by two healthy sensors or more: "
            f"{counts['wrong']} wrong, {counts['unknown']} unknown"
        ),
    ]
    if outcome.peak_rss_mb:
        name, mb = max(outcome.peak_rss_mb.items(), key=lambda item: item[1])
        lines.append(Text(f" largest process: {name}, {mb:.0f} MB"))
    lines.append(Text(" passed", "bold green") if verdict.passed else Text(" FAILED", "bold red"))
    return lines


def _event(event: Entry) -> Text:
    noticed = "–" if event.noticed_ms is None else f"{event.noticed_ms:.0f} ms"
    limit = "" if event.limit_ms is None else f"{event.limit_ms:.0f} ms"
    line = Text(f" {event.at_s:6.1f}s  {event.what:34} {noticed:>8} {limit:>7} ")
    line.append("✓ " if event.ok else "✗ ", style="green" if event.ok else "bold red")
    if event.answer is None or event.answer.label is None:
        return line.append("none", style="bright_black")
    style = {True: "green", False: "bold red", None: ""}[event.right]
    return line.append(f"{event.answer.label} {event.answer.score:.0%}", style=style)


def _check(label: str, bundle: str, root: Path | None, json_file: Path | None) -> None:
    """Refuse now what every process would refuse later, and what could not be written in the end."""
    if root and not root.is_dir():
        raise ConfigError(f"--root {root}: there is no such folder of recordings")
    if json_file and not json_file.parent.is_dir():
        raise ConfigError(f"--json {json_file}: there is no folder {json_file.parent}; make it first")
    load_recipe("digits").check_label(label)
    loaded = Bundle.load(bundle)
    for modality in SENSORS.values():
        loaded.encoder_model(modality)
