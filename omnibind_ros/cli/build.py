"""`omnibind build`: builds TensorRT plans for this machine before an encoder needs them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from omnibind_ros.bundle.loading import Bundle, EncoderModel
from omnibind_ros.engines.tensorrt.build import BuildProgress
from omnibind_ros.engines.tensorrt.gpu import open_gpu
from omnibind_ros.engines.tensorrt.plan import PlanOptions
from omnibind_ros.engines.tensorrt.plan_build import PlanBuild
from omnibind_ros.engines.tensorrt.versions import load_tensorrt
from omnibind_ros.errors import BackendError, ConfigError
from omnibind_ros.names import nearest
from omnibind_ros.types import Modality


def build(
    bundle: Annotated[str, typer.Argument(help="Name of an installed bundle, or its folder.")] = "digits",
    precision: Annotated[
        str | None, typer.Option(help="E.g. fp32, fp16, int8.  [the bundle's default]")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="MODALITY", help="Only this encoder. May be given several times."),
    ] = None,
    workspace_mb: Annotated[
        int, typer.Option(min=1, help="Workspace limit of a kernel, MiB.")
    ] = PlanOptions.workspace_mb,
    dla_core: Annotated[int | None, typer.Option(min=0, help="DLA core of an Orin; fp16 only.")] = None,
) -> None:
    """Build TensorRT plans of a bundle's encoders. Plans in the cache are not built again.

    omnibind build digits --precision fp16
    """
    loaded = Bundle.load(bundle)
    for modality in only or ():
        if modality not in loaded.modalities:
            known = nearest(modality, loaded.modalities)
            raise ConfigError(f"--only {modality}: bundle {loaded.name!r} has no such encoder{known}")
    models = [loaded.encoder_model(modality, precision, "tensorrt") for modality in only or loaded.modalities]
    tensorrt, gpu = load_tensorrt(), open_gpu()
    typer.echo(f"TensorRT {tensorrt.version} on {gpu.name} (compute capability {gpu.compute_capability})")
    failures: dict[Modality, str] = {}
    with Progress(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.fields[phase]}"),
        TimeElapsedColumn(),
        console=Console(),
    ) as progress:
        for model in models:
            try:
                _build(model, PlanOptions(model.precision, workspace_mb, dla_core), progress)
            except BackendError as error:
                failures[model.modality] = str(error)
    if failures:
        reasons = "; ".join(f"{modality}: {reason}" for modality, reason in failures.items())
        raise BackendError(f"{len(failures)} of {len(models)} plans could not be built: {reasons}")


def _build(model: EncoderModel, options: PlanOptions, progress: Progress) -> None:
    # A bar without total pulses: TensorRT 8.6 reports no progress.
    task = progress.add_task(f"{model.modality} {model.precision}", total=None, phase="")

    def show(news: BuildProgress) -> None:
        total = None if news.percent is None else 100
        progress.update(task, total=total, completed=news.percent, phase=news.phase)

    plan_build = PlanBuild(model.path, options)
    try:
        plan = plan_build.wait(show)
    except BackendError:
        progress.update(task, total=100, phase="failed")
        raise
    finally:
        progress.stop_task(task)
        plan_build.close()
    progress.update(task, total=100, completed=100, phase=str(plan))
