"""`omnibind ablate`: ablation of stage 1 on a few labelled recordings per class."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from omnibind_ros.cli import options
from omnibind_ros.cli.train import (
    Devices,
    Progress,
    Restart,
    RunFolder,
    Seed,
    Settings,
    open_run,
    resumable,
)
from omnibind_ros.host.data.recipe import TEACHER_MODALITIES, Recipe, load_recipe
from omnibind_ros.host.training.ablation import PARTS, Ablation
from omnibind_ros.host.training.ablation_table import Cell, summary
from omnibind_ros.host.training.fit import Execution


def ablate(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, e.g. digits, or its file.")],
    root: options.DataRoot = None,
    out: RunFolder = None,
    terms: Annotated[
        str, typer.Option(help=f"Parts that are left out, one at a time: {','.join(PARTS)}.")
    ] = ",".join(PARTS),
    modalities: Annotated[
        str | None, typer.Option(help="E.g. touch,event.  [all that have recordings, except image and text]")
    ] = None,
    per_class: Annotated[int, typer.Option(min=1, help="Labelled recordings of each class.")] = 10,
    seeds: Annotated[
        int, typer.Option(min=1, help="Repetitions with other recordings and initial weights.")
    ] = 5,
    samples: Annotated[int, typer.Option(min=1, help="Samples drawn in each training.")] = 20_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the table to this file.")] = None,
    settings: Settings = None,
    seed: Seed = None,
    devices: Devices = 1,
    restart: Restart = False,
    progress: Progress = True,
) -> None:
    """Train students with all of CAD, without each part, with the texts alone and without a teacher.

    Reports their accuracy on the dev split: mean and standard deviation over seeds.

    omnibind ablate digits --root DATA --out runs/ablation --modalities touch,event --seeds 3
    """
    options.check_output("--json", json_file)
    plan = load_recipe(recipe)
    wanted = [plan.check_modality(m) for m in modalities.split(",")] if modalities else _recorded(plan)
    run = open_run(plan, root, out, settings, seed, Execution(devices, progress), restart=restart)
    cells: list[Cell] = []
    with resumable(run):
        ablation = Ablation(run, per_class=per_class, samples=samples)
        for cell in ablation.cells(wanted, [term for term in terms.split(",") if term], seeds):
            cells.append(cell)
            typer.echo(f"{cell.modality}, {cell.variant}: {_shown(cell)} %", err=True)
    if json_file is not None:
        how = {"recipe": plan.name, "per_class": per_class, "seeds": seeds, "samples": samples}
        json_file.write_text(json.dumps({**how, **summary(cells)}, indent=2) + "\n")
    title = f"{per_class} recordings per class, {seeds} seeds, accuracy % on the dev split"
    Console().print(_table(cells, title))


def _recorded(recipe: Recipe) -> list[str]:
    return list(dict.fromkeys(s.modality for s in recipe.sources if s.modality not in TEACHER_MODALITIES))


def _table(cells: list[Cell], title: str) -> Table:
    modalities = list(dict.fromkeys(cell.modality for cell in cells))
    table = Table("student", *modalities, "mean", "gain", title=title)
    found = summary(cells)
    for name, mean in found["mean_over_modalities"].items():
        gain = found["gain_over_no_teacher"].get(name)
        row = [_shown(cell) for cell in cells if cell.variant == name]
        table.add_row(name, *row, f"{100 * mean:.2f}", "" if gain is None else f"{100 * gain:+.2f}")
    return table


def _shown(cell: Cell) -> str:
    return f"{100 * cell.mean:.2f} ± {100 * cell.std:.2f}"
