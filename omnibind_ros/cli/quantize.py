"""`omnibind quantize`: lower precisions of a bundle's encoders, chosen and measured on recordings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.cli import options
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.export.lower_precisions import (
    PRECISIONS,
    QuantizationData,
    add_precisions,
    make_record,
)
from omnibind_ros.host.export.quantization_record import QuantizationRecord
from omnibind_ros.names import nearest


def quantize(
    bundle: Annotated[str, typer.Argument(help="Name of an installed bundle, or its folder.")],
    root: options.DataRoot = None,
    recipe: Annotated[str, typer.Option(help="A recipe's name, or its file.")] = "digits",
    twin: Annotated[
        str | None,
        typer.Option(
            help="Bundle of the same training run that was trained on the train split alone, e.g. "
            "runs/digits/split-bundle: used to choose and to measure.  [the bundle itself]"
        ),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this modality; may be repeated.")] = None,
    precision: Annotated[
        list[str] | None, typer.Option(help="Only this precision: fp16, u8s8 or int8; may be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write.  [the bundle's own]")] = None,
    records: Annotated[
        Path, typer.Option(help="Folder of the quantization records, BUNDLE/MODALITY.yaml.")
    ] = Path("calibration/int8"),
    allowed_loss: Annotated[
        float,
        typer.Option(min=0.0, max=100.0, help="Largest loss of accuracy by 8 bits, in percentage points."),
    ] = 0.5,
    repeat: Annotated[
        bool, typer.Option("--repeat", help="Use the records of an earlier call; needs no recordings.")
    ] = False,
) -> None:
    """Add fp16, int8 (both for TensorRT) and u8s8 (for CPUs) to a bundle.

    omnibind quantize engines/digits --root DATA --twin runs/digits/split-bundle
    """
    loaded = Bundle.load(bundle)
    modalities = [_known(modality, loaded.modalities) for modality in only or loaded.modalities]
    precisions = [_known(one, PRECISIONS) for one in precision or PRECISIONS]
    kept = records / loaded.name
    if repeat:
        found = {modality: _kept(kept / f"{modality}.yaml") for modality in modalities}
    else:
        data = QuantizationData(
            load_recipe(recipe), options.data_root(root), Bundle.load(twin) if twin else loaded, allowed_loss
        )
        found = {}
        for modality in track(modalities, "quantizing", transient=True):
            found[modality] = make_record(loaded, modality, data)
            found[modality].write(kept / f"{modality}.yaml")
    written = add_precisions(
        loaded,
        modalities,
        found.__getitem__,
        out or loaded.folder,
        precisions=precisions,
        allowed_loss=allowed_loss,
    )
    Console().print(_table(written, found))
    seen = {
        m for record in found.values() for m in record.measured.values() if m.trained_on in ("all", m.split)
    }
    if seen:
        typer.echo("Measured on recordings that the encoders were trained on; pass --twin to avoid that.")
    size = sum(file.stat().st_size for file in written.folder.iterdir()) / 1e6
    typer.echo(f"bundle {written.name!r} in {written.folder}: {size:.1f} MB; records in {kept}")


def _known(name: str, names: Sequence[str]) -> str:
    if name not in names:
        raise ConfigError(f"no {name!r} to quantize{nearest(name, names)}")
    return name


def _kept(file: Path) -> QuantizationRecord:
    if not file.is_file():
        raise ConfigError(f"--repeat: no record {file}; pass --root DATA instead to make one")
    return QuantizationRecord.read(file)


def _table(bundle: Bundle, found: dict[str, QuantizationRecord]) -> Table:
    table = Table("encoder", "precision", "accuracy %", "loss", "of", "ranges by", "in float32", "kB")
    table.caption = "* default on a CPU"
    for modality, record in found.items():
        entry = bundle.manifest.encoders[modality]
        before = record.measured["fp32"].accuracy
        for precision, file in entry.precisions.items():
            measured, form = record.measured[precision], record.forms.get(precision)
            table.add_row(
                modality if precision == "fp32" else "",
                f"{precision} *" if precision == entry.default_precision else precision,
                f"{100 * measured.accuracy:.2f}",
                f"{100 * (before - measured.accuracy):.2f}",
                f"{measured.n} {measured.split}",
                form.method if form else "",
                f"{len(form.keep)} layers" if form and form.keep else "",
                f"{(file.size_bytes or 0) / 1e3:.0f}",
            )
        table.add_section()
    return table
