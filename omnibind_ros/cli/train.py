"""`omnibind train`: recordings -> students and a fusion module, measured on held-back recordings."""

from __future__ import annotations

import logging
import warnings
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from omnibind_ros.cli import options
from omnibind_ros.core.errors import ConfigError
from omnibind_ros.data.recipe import load_recipe
from omnibind_ros.training.run import TrainingRun


class Step(str, Enum):
    """What to do; every step does what it needs first, and nothing twice."""

    students = "students"
    fusion = "fusion"
    evaluate = "evaluate"
    folds = "folds"
    final = "final"
    all = "all"


def train(
    step: Annotated[
        Step,
        typer.Argument(
            help="students: on the train split. fusion: on the dev split. evaluate: both on the test split. "
            "folds: leave one group out. final: students on everything, to ship. all: all but folds."
        ),
    ],
    recipe: Annotated[str, typer.Argument(help="A recipe's name, e.g. digits, or its file.")],
    root: options.DataRoot = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run.  [runs/RECIPE]")] = None,
    modality: Annotated[
        list[str] | None, typer.Option(help="Only these; may be given several times.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same numbers.")] = 0,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """Train a bundle's models; interrupted, it goes on where it stopped.

    omnibind train all digits --root DATA --out runs/digits
    """
    if root is None:
        raise ConfigError("where are the recordings? --root DATA, or set OMNIBIND_DATA")
    plan = load_recipe(recipe)
    _quieten_lightning()
    run = TrainingRun(plan, root, out or Path("runs") / plan.name, seed=seed, progress=progress)
    modalities = [plan.check_modality(m) for m in modality or plan.modalities]
    if step in (Step.students, Step.all):
        for one in modalities:
            run.student(one, "split")
    if step in (Step.fusion, Step.all):
        run.fusion()
    if step in (Step.evaluate, Step.all):
        for one, score in run.evaluation()["modalities"].items():
            typer.echo(f"{one:12s} {100 * score['accuracy']:6.2f} % of {score['n']}")
    if step == Step.folds:
        for one in modality or ["audio"]:
            for group, accuracy in run.folds(one).items():
                typer.echo(f"{one} without {group}: {100 * accuracy:.1f} % on it")
    if step in (Step.final, Step.all):
        for one in modalities:
            run.student(one, "final")
    command = f"omnibind export {run.folder} engines/{plan.name} --recipe {recipe} --root {root}"
    typer.echo(f"run in {run.folder}; to ship it: {command}")


def _quieten_lightning() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
