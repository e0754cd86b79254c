"""`omnibind train`: recordings -> students and a fusion module, measured on held-back recordings."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from omnibind_ros.cli import options
from omnibind_ros.cli.side_by_side import side_by_side
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recipe import Recipe, load_recipe
from omnibind_ros.host.export.run_bundle import evaluate_run
from omnibind_ros.host.training.config import TrainingConfig, changed
from omnibind_ros.host.training.fit import Machine, disk_of
from omnibind_ros.host.training.run import UNTAUGHT, TrainingRun

INTERRUPTED = 130

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="E.g. cad.lambda_relation=0.5; may be given several times. RUN/config.yaml has all keys.",
    ),
]
Seed = Annotated[int | None, typer.Option(help="Same seed, same numbers.  [0]")]
Devices = Annotated[int, typer.Option(min=1, help="GPUs (or processes, without a GPU) that share the work.")]
Restart = Annotated[bool, typer.Option("--restart", help="Forget what an earlier start of the run left.")]
Jobs = Annotated[int, typer.Option(min=1, help="Students trained side by side, a process each.")]
Progress = Annotated[bool, typer.Option(help="Show progress bars.")]
RunFolder = Annotated[Path | None, typer.Option(help="Folder of the run.  [runs/RECIPE]")]


class Step(str, Enum):
    """What to do; every step does what it needs first, and nothing twice."""

    teacher = "teacher"
    students = "students"
    fusion = "fusion"
    evaluate = "evaluate"
    folds = "folds"
    final = "final"
    all = "all"


_FUSED = (Step.fusion, Step.evaluate)


def train(
    step: Annotated[
        Step,
        typer.Argument(
            help="teacher: class centres, image tower. students: on the train split. fusion: on the dev "
            "split. evaluate: both on the test split. folds: leave one group out. final: students on "
            "everything, to ship. all: all but folds."
        ),
    ],
    recipe: Annotated[str, typer.Argument(help="A recipe's name, e.g. digits, or its file.")],
    root: options.DataRoot = None,
    out: RunFolder = None,
    modality: Annotated[
        list[str] | None, typer.Option(help="Only these; may be given several times.")
    ] = None,
    settings: Settings = None,
    seed: Seed = None,
    devices: Devices = 1,
    jobs: Jobs = 1,
    restart: Restart = False,
    progress: Progress = True,
) -> None:
    """Train a bundle's models; interrupted, it goes on where it stopped.

    omnibind train all digits --root DATA --out runs/digits --jobs 2
    """
    plan = load_recipe(recipe)
    modalities = [plan.check_modality(m) for m in modality or plan.modalities]
    run = open_run(plan, root, out, settings, seed, Machine(devices, progress), restart=restart)
    with resumable(run):
        if jobs > 1:
            again = ["--root", root, "--out", run.folder, "--devices", devices, "--no-progress"]
            again += [] if seed is None else ["--seed", seed]
            again += [part for setting in settings or () for part in ("--set", setting)]
            _train_side_by_side(run, step, modalities, jobs, [recipe, *again])
        if step in (Step.teacher, Step.all):
            run.teach()
        if step in (Step.students, Step.all):
            for one in modalities:
                run.encoder(one, "split")
        if step in (Step.fusion, Step.all):
            run.fusion()
        if step in (Step.evaluate, Step.all):
            for one, score in evaluate_run(run)["modalities"].items():
                typer.echo(f"{one:12s} {100 * score['accuracy']:6.2f} % of {score['n']}")
        if step == Step.folds:
            for one in modality or ["audio"]:
                for group, accuracy in run.folds(one).items():
                    typer.echo(f"{one} without {group}: {100 * accuracy:.1f} % on it")
        if step in (Step.final, Step.all):
            for one in modalities:
                run.encoder(one, "final")
    command = f"omnibind export {run.folder} engines/{plan.name} --recipe {recipe} --root {root}"
    typer.echo(f"run in {run.folder}; to ship it: {command}")


def _train_side_by_side(
    run: TrainingRun, step: Step, modalities: list[str], jobs: int, arguments: list[object]
) -> None:
    """The students that a step needs; what comes after finds them trained."""
    needed = {
        Step.students: [(Step.students, m) for m in modalities],
        Step.final: [(Step.final, m) for m in modalities],
        Step.all: [(one, m) for one in (Step.students, Step.final) for m in modalities],
    }.get(step, [(Step.students, m) for m in run.recipe.modalities] if step in _FUSED else [])
    _ = run.anchors  # else each would make them
    for turn in range(1 + max((_turn(run.recipe, m) for _, m in needed), default=-1)):
        if turn == 1:
            run.teach()
        commands = {
            f"{m}, {one.value}": ("train", one.value, *arguments, "--modality", m)
            for one, m in needed
            if _turn(run.recipe, m) == turn
        }
        side_by_side(commands, jobs, lambda line: typer.echo(line, err=True))


def _turn(recipe: Recipe, modality: str) -> int:
    """Who teaches comes before whom it teaches."""
    if modality in UNTAUGHT:
        return 0
    return 1 + (_turn(recipe, recipe.taught_by[modality]) if modality in recipe.taught_by else 0)


def open_run(
    recipe: Recipe,
    root: Path | None,
    out: Path | None,
    settings: list[str] | None,
    seed: int | None,
    machine: Machine,
    *,
    restart: bool = False,
) -> TrainingRun:
    """The run that options describe.

    Raises:
        ConfigError: no recordings, an unknown setting, or another config than the run was begun with.
    """
    if root is None:
        raise ConfigError("where are the recordings? --root DATA, or set OMNIBIND_DATA")
    own = [] if seed is None else [f"seed={seed}"]
    config = changed(TrainingConfig(), [*(settings or ()), *own])
    _quieten_lightning()
    return TrainingRun(
        recipe, root, out or Path("runs") / recipe.name, config, machine=machine, restart=restart
    )


@contextmanager
def resumable(run: TrainingRun) -> Iterator[None]:
    """Ctrl-C is one line and exit status 130; a full disk is one line, too."""
    try:
        with disk_of(run.folder):
            yield
    except KeyboardInterrupt:
        typer.echo(f"interrupted; the same command goes on where it stopped, in {run.folder}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _quieten_lightning() -> None:
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
