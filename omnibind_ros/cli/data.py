"""`omnibind data`: are the recordings what the recipe says?"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from omnibind_ros.cli import options
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.check import Finding, Report
from omnibind_ros.host.data.check import check as check_recordings
from omnibind_ros.host.data.check_cache import seen_of
from omnibind_ros.host.data.recipe import Recipe, load_recipe
from omnibind_ros.host.data.splits import SPLITS

_SHOWN = 20
"""Findings of a kind that are shown; all are in the JSON."""


class Step(str, Enum):
    """What to do."""

    check = "check"


def data(
    step: Annotated[Step, typer.Argument(help="check: read everything, count it, say what is wrong.")],
    recipe: Annotated[str, typer.Argument(help="A recipe's name, e.g. digits, or its file.")],
    root: options.DataRoot = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write what was found to this file.")
    ] = None,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """Show how many recordings there are of each class in each modality, and find what is wrong with them.

    Exit status 2 if there are unreadable files, the same recording (or one moment) in several splits, one
    under two labels, or a class without any recordings.

    omnibind data check digits --root DATA
    """
    if root is None:
        raise ConfigError("where are the recordings? --root DATA, or set OMNIBIND_DATA")
    if json_file and not json_file.parent.is_dir():
        raise ConfigError(f"--json {json_file}: there is no folder {json_file.parent}; make it first")
    plan = load_recipe(recipe)
    seen = seen_of(plan.name, root)
    report = check_recordings(
        plan, root, seen, lambda found, what: track(found, what, transient=True, disable=not progress)
    )
    seen.save()
    if json_file is not None:
        json_file.write_text(json.dumps({**report.to_json(plan), "root": str(root)}, indent=2) + "\n")
    Console().print(_table(plan, report))
    _say(report.notes, "note")
    _say(report.problems, "problem")
    if report.problems:
        raise typer.Exit(2)


def _table(recipe: Recipe, report: Report) -> Table:
    moments = f"; {report.pairs} moments recorded by several sensors" if report.pairs else ""
    table = Table("class", title=f"{recipe.name}: recordings of each class and modality{moments}")
    for modality in report.counts:
        table.add_column(modality, justify="right")
    most = max((report.count(m, label) for m in report.counts for label in recipe.labels), default=0)
    for label in recipe.labels:
        table.add_row(label, *(_cell(report.count(modality, label), most) for modality in report.counts))
    if any(report.count(modality) for modality in report.counts):
        table.add_row("none of them", *(str(report.count(modality) or "") for modality in report.counts))
    table.add_section()
    for split in SPLITS:
        in_split = (
            sum(report.count(modality, label, split) for label in (*recipe.labels, None))
            for modality in report.counts
        )
        table.add_row(split, *map(str, in_split))
    return table


def _cell(count: int, most: int) -> Text:
    """The fewer, the redder: the unequal scales at a glance."""
    colour = "red" if 20 * count < most else "yellow" if 4 * count < most else "green"
    return Text(str(count) if count else "none", colour)


def _say(findings: list[Finding], what: str) -> None:
    kinds = dict.fromkeys(finding.kind for finding in findings)
    for kind in kinds:
        of_kind = [finding for finding in findings if finding.kind == kind]
        for finding in of_kind[:_SHOWN]:
            typer.echo(f"{what}: {' '.join(finding.text.split())}")
        if len(of_kind) > _SHOWN:
            typer.echo(f"{what}: and {len(of_kind) - _SHOWN} more of this kind; --json FILE has all")
