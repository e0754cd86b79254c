"""`omnibind export`: a finished training run as a bundle for the robot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnibind_ros.cli import options
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.export.run_bundle import evaluate_run, export_run
from omnibind_ros.host.training.run import TrainingRun


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a run of `omnibind train all`.")],
    bundle: Annotated[Path, typer.Argument(help="Folder to write, e.g. engines/digits.")],
    recipe: Annotated[str, typer.Option(help="The recipe of the run.")] = "digits",
    root: options.DataRoot = None,
) -> None:
    """Write encoders, fusion, label bank and calibration to one folder with checksums.

    omnibind export runs/digits engines/digits --root DATA
    """
    if not (run / "evaluation.json").exists():
        raise ConfigError(f"{run} has not been evaluated; run first: omnibind train all {recipe} --out {run}")
    training = TrainingRun(load_recipe(recipe), options.data_root(root), run)
    written = export_run(training, bundle, "final", evaluate_run(training))
    size = sum(file.stat().st_size for file in bundle.iterdir()) / 1e6
    typer.echo(f"bundle {written.name!r} in {bundle}: {', '.join(written.modalities)}; {size:.1f} MB")
