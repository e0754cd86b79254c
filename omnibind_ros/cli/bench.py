"""`omnibind bench`: latency, memory and cold start of encoders, by backend and precision."""

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
from omnibind_ros.cli import options
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.bench import results
from omnibind_ros.host.bench.encoders import floors_of, measure_encoder
from omnibind_ros.host.bench.machine import measure_machine
from omnibind_ros.names import nearest


class What(str, Enum):
    """What is measured."""

    encoders = "encoders"


def bench(
    what: Annotated[What, typer.Argument(help="encoders: each by itself, by backend and precision.")],
    bundle: Annotated[str, typer.Option(help="Name of an installed bundle, or its folder.")] = "digits",
    run: Annotated[
        Path | None,
        typer.Option(help="Training run of the bundle, e.g. runs/digits, to measure torch as well."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this modality; may be repeated.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of one inference.")] = 1,
    repeat: Annotated[int, typer.Option(min=25, help="Measured inferences of each encoder.")] = 300,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file.")] = None,
    plot_file: Annotated[
        Path | None, typer.Option("--plot", help="Plot them to this .png, .svg or .pdf file.")
    ] = None,
) -> None:
    """Latency, throughput, memory and cold start of every encoder, and the least possible latency.

    omnibind bench encoders --bundle engines/digits --run runs/digits --json bench.json --plot bench.svg
    """
    options.check_output("--json", json_file)
    options.check_output("--plot", plot_file)
    if plot_file and find_spec("matplotlib") is None:
        raise ConfigError('--plot needs the Python module "matplotlib": pip install ".[view]"')
    loaded = Bundle.load(bundle)
    for modality in only or ():
        if modality not in loaded.modalities:
            raise ConfigError(
                f"bundle {loaded.name!r} has no modality {modality!r}{nearest(modality, loaded.modalities)}"
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
    for name, reason in dict.fromkeys(
        (one.name, one.reason) for one in found if isinstance(one, results.NotMeasured)
    ):
        console.print(f"{name} was not measured: {reason}", highlight=False)
    if json_file:
        json_file.write_text(json.dumps(results.to_json(machine, found, floors), indent=2) + "\n")
    if plot_file:
        results.plot(plot_file, machine, found, floors)
