"""`omnibind train`: students and fusion from recordings, evaluated on held-back recordings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from omnibind_ros.cli import options
from omnibind_ros.cli.side_by_side import side_by_side
from omnibind_ros.host.data.recipe import TEACHER_MODALITIES, Recipe, load_recipe
from omnibind_ros.host.export.run_bundle import evaluate_run
from omnibind_ros.host.training.config import TrainingConfig, changed
from omnibind_ros.host.training.files import reporting_full_disk
from omnibind_ros.host.training.fit import Execution
from omnibind_ros.host.training.run import TrainingRun

INTERRUPTED = 130

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change a key of RUN/config.yaml, e.g. cad.lambda_relation=0.5; may be repeated.",
    ),
]
Seed = Annotated[int | None, typer.Option(help="Random seed of the run.  [0]")]
Devices = Annotated[
    int, typer.Option(min=1, help="GPUs (processes if there is no GPU) that share each batch.")
]
Restart = Annotated[
    bool, typer.Option("--restart", help="Discard what an earlier start of the run has written.")
]
Jobs = Annotated[int, typer.Option(min=1, help="Students trained in parallel, each in its own process.")]
Progress = Annotated[bool, typer.Option(help="Show progress bars.")]
RunFolder = Annotated[Path | None, typer.Option(help="Folder of the run.  [runs/RECIPE]")]


class Step(str, Enum):
    """What to do. Each step runs the steps it depends on unless they are done."""

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
            help="teacher: class centres and image tower. students: train on the train split. fusion: fit on "
            "the dev split. evaluate: students and fusion on the test split. folds: leave one group out. "
            "final: train students on all recordings, for export. all: everything but folds."
        ),
    ],
    recipe: Annotated[str, typer.Argument(help="A recipe's name, e.g. digits, or its file.")],
    root: options.DataRoot = None,
    out: RunFolder = None,
    modality: Annotated[list[str] | None, typer.Option(help="Only this modality; may be repeated.")] = None,
    settings: Settings = None,
    seed: Seed = None,
    devices: Devices = 1,
    jobs: Jobs = 1,
    restart: Restart = False,
    progress: Progress = True,
) -> None:
    """Train the models of a bundle. The same command continues an interrupted run.

    omnibind train all digits --root DATA --out runs/digits --jobs 2
    """
    plan = load_recipe(recipe)
    modalities = [plan.check_modality(m) for m in modality or plan.modalities]
    run = open_run(plan, root, out, settings, seed, Execution(devices, progress), restart=restart)
    with resumable(run):
        if jobs > 1:
            again = ["--root", root, "--out", run.folder, "--devices", devices, "--no-progress"]
            again += [] if seed is None else ["--seed", seed]
            again += [part for setting in settings or () for part in ("--set", setting)]
            _train_side_by_side(run, step, modalities, jobs, [recipe, *again])
        if step in (Step.teacher, Step.all):
            run.make_teacher()
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
                    typer.echo(f"{one} trained without {group}: {100 * accuracy:.1f} % on it")
        if step in (Step.final, Step.all):
            for one in modalities:
                run.encoder(one, "final")
    command = f"omnibind export {run.folder} engines/{plan.name} --recipe {recipe} --root {root}"
    typer.echo(f"run in {run.folder}; export it with: {command}")


def _train_side_by_side(
    run: TrainingRun, step: Step, modalities: list[str], jobs: int, arguments: list[object]
) -> None:
    """Train the students that a step needs; the step itself then reads them back."""
    needed = {
        Step.students: [(Step.students, m) for m in modalities],
        Step.final: [(Step.final, m) for m in modalities],
        Step.all: [(one, m) for one in (Step.students, Step.final) for m in modalities],
    }.get(step, [(Step.students, m) for m in run.recipe.modalities] if step in _FUSED else [])
    _ = run.centres  # made once, not by each process
    for number in range(1 + max((_round(run.recipe, m) for _, m in needed), default=-1)):
        if number == 1:
            run.make_teacher()
        commands = {
            f"{m}, {one.value}": ("train", one.value, *arguments, "--modality", m)
            for one, m in needed
            if _round(run.recipe, m) == number
        }
        side_by_side(commands, jobs, lambda line: typer.echo(line, err=True))


def _round(recipe: Recipe, modality: str) -> int:
    """A student that teaches others is trained in an earlier round than they are."""
    if modality in TEACHER_MODALITIES:
        return 0
    return 1 + (_round(recipe, recipe.taught_by[modality]) if modality in recipe.taught_by else 0)


def open_run(
    recipe: Recipe,
    root: Path | None,
    out: Path | None,
    settings: list[str] | None,
    seed: int | None,
    execution: Execution,
    *,
    restart: bool = False,
) -> TrainingRun:
    """The run that the options describe.

    Raises:
        ConfigError: no data folder, an unknown setting, or another config than the run was started with.
    """
    own = [] if seed is None else [f"seed={seed}"]
    config = changed(TrainingConfig(), [*(settings or ()), *own])
    return TrainingRun(
        recipe,
        options.data_root(root),
        out or Path("runs") / recipe.name,
        config,
        execution=execution,
        restart=restart,
    )


@contextmanager
def resumable(run: TrainingRun) -> Iterator[None]:
    """Report Ctrl-C in one line with exit status 130, and a full disk in one line."""
    try:
        with reporting_full_disk(run.folder):
            yield
    except KeyboardInterrupt:
        typer.echo(f"interrupted; run the same command to continue in {run.folder}", err=True)
        raise typer.Exit(INTERRUPTED) from None
