"""`omnibind bench`: what encoders cost on this machine, by backend and precision."""

from __future__ import annotations

import json
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.bench import results
from omnibind_ros.host.bench.encoders import Absence, floors_of, measure_encoder
from omnibind_ros.host.bench.machine import measure_machine
from omnibind_ros.names import nearest


class What(str, Enum):
    """What is measured."""

    encoders = "encoders"


def bench(
    what: Annotated[What, typer.Argument(help="encoders: each alone, by backend and precision.")],
    bundle: Annotated[str, typer.Option(help="Name of an installed bundle, or its folder.")] = "digits",
    run: Annotated[
        Path | None,
        typer.Option(help="Training run of the bundle, e.g. runs/digits: measures torch as well."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this modality; may be repeated.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of one inference.")] = 1,
    repeat: Annotated[int, typer.Option(min=25, help="Inferences of each that are counted.")] = 300,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    plot_file: Annotated[Path | None, typer.Option("--plot", help="Draw them: .png, .svg or .pdf.")] = None,
) -> None:
    """Latency, throughput, memory and cold start of every encoder, and the least that physics allows.

    omnibind bench encoders --bundle engines/digits --run runs/digits --json bench.json --plot bench.svg
    """
    for option, file in (("--json", json_file), ("--plot", plot_file)):
        if file and not file.parent.is_dir():
            raise ConfigError(f"{option} {file}: there is no folder {file.parent}; make it first")
    if plot_file and find_spec("matplotlib") is None:
        raise ConfigError('--plot needs the Python module "matplotlib": pip install ".[view]"')
    loaded = Bundle.load(bundle)
    for modality in only or ():
        if modality not in loaded.modalities:
            raise ConfigError(
                f"bundle {loaded.name!r} has no {modality!r}{nearest(modality, loaded.modalities)}"
            )
    machine = measure_machine(threads)
    found = [
        one
        for modality in track(only or loaded.modalities, "measuring", transient=True)
        for one in measure_encoder(loaded, modality, run=run, threads=threads, repeat=repeat)
    ]
    machine = machine.or_better(measure_machine(threads))
    floors = {modality: floors_of(loaded, modality, machine) for modality in only or loaded.modalities}
    console = Console()
    for line in results.machine_lines(machine):
        console.print(line, highlight=False)
    console.print(results.table(found, floors))
    for name, reason in dict.fromkeys((one.name, one.reason) for one in found if isinstance(one, Absence)):
        console.print(f"{name} did not take part: {reason}", highlight=False)
    if json_file:
        json_file.write_text(json.dumps(results.to_json(machine, found, floors), indent=2) + "\n")
    if plot_file:
        results.plot(plot_file, machine, found, floors)
