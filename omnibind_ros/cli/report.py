"""`omnibind report`: evaluation and ablations of a run as one HTML page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from omnibind_ros.cli import options
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.report.page import report_page
from omnibind_ros.host.training.ablation_table import tables


def report(
    run: Annotated[
        Path, typer.Argument(help="Folder of a run, or a file that `omnibind evaluate --json` wrote.")
    ],
    out: Annotated[Path | None, typer.Option(help="The page.  [report.html beside the scores]")] = None,
) -> None:
    """Write one page with the results of every subset, corruption, fusion rule and ablation of a run.

    omnibind report runs/digits --out report.html
    """
    folder, file = (run, run / "evaluation.json") if run.is_dir() else (run.parent, run)
    ablations = tables(folder)
    scores = None
    if file.exists():
        scores = _read(file)
        if "subsets" not in scores or "conditions" not in scores:
            raise ConfigError(f"{file} is not an evaluation of this version; run omnibind evaluate again")
    elif not (run.is_dir() and ablations):
        raise ConfigError(f"{file} does not exist; run first: omnibind evaluate --json")
    page = out or folder / "report.html"
    options.check_output("--out", page)
    name = run.resolve().name if run.is_dir() else run.stem
    page.write_text(report_page(name, scores, ablations))
    typer.echo(f"report in {page}")


def _read(file: Path) -> dict[str, Any]:
    try:
        read = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read as JSON: {error}") from None
    if not isinstance(read, dict):
        raise ConfigError(f"{file} has no JSON object; omnibind evaluate --json writes such a file")
    return read
