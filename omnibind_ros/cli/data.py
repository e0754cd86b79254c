"""`omnibind data`: checks of recordings against a recipe."""

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
from omnibind_ros.host.data.check import CheckResult, Finding
from omnibind_ros.host.data.check import check as check_recordings
from omnibind_ros.host.data.check_cache import check_cache_of
from omnibind_ros.host.data.recipe import Recipe, load_recipe
from omnibind_ros.host.data.splits import SPLITS

_SHOWN = 20
"""Largest number of findings of a kind on the terminal; the JSON file has all."""


class Step(str, Enum):
    """What to do."""

    check = "check"


def data(
    step: Annotated[Step, typer.Argument(help="check: read all recordings, count them and report problems.")],
    recipe: Annotated[str, typer.Argument(help="A recipe's name, e.g. digits, or its file.")],
    root: options.DataRoot = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result to this file.")] = None,
    progress: Annotated[bool, typer.Option(help="Show progress bars.")] = True,
) -> None:
    """Count the recordings of each class in each modality, and report problems.

    Exit status 2 if a file is unreadable, a recording or moment is in several splits, a recording has two
    labels, or a class has no recordings.

    omnibind data check digits --root DATA
    """
    root = options.data_root(root)
    options.check_output("--json", json_file)
    plan = load_recipe(recipe)
    cache = check_cache_of(plan.name, root)
    result = check_recordings(
        plan, root, cache, lambda found, what: track(found, what, transient=True, disable=not progress)
    )
    cache.save()
    if json_file is not None:
        json_file.write_text(json.dumps({**result.to_json(plan), "root": str(root)}, indent=2) + "\n")
    Console().print(_table(plan, result))
    _print(result.notes, "note")
    _print(result.problems, "problem")
    if result.problems:
        raise typer.Exit(2)


def _table(recipe: Recipe, result: CheckResult) -> Table:
    moments = f"; {result.pairs} moments recorded by several sensors" if result.pairs else ""
    table = Table("class", title=f"{recipe.name}: recordings of each class and modality{moments}")
    for modality in result.counts:
        table.add_column(modality, justify="right")
    most = max((result.count(m, label) for m in result.counts for label in recipe.labels), default=0)
    for label in recipe.labels:
        table.add_row(label, *(_cell(result.count(modality, label), most) for modality in result.counts))
    if any(result.count(modality) for modality in result.counts):
        table.add_row("none of them", *(str(result.count(modality) or "") for modality in result.counts))
    table.add_section()
    for split in SPLITS:
        in_split = (
            sum(result.count(modality, label, split) for label in (*recipe.labels, None))
            for modality in result.counts
        )
        table.add_row(split, *map(str, in_split))
    return table


def _cell(count: int, most: int) -> Text:
    """Red for less than a twentieth of the largest count, yellow for less than a quarter."""
    colour = "red" if 20 * count < most else "yellow" if 4 * count < most else "green"
    return Text(str(count) if count else "none", colour)


def _print(findings: list[Finding], what: str) -> None:
    kinds = dict.fromkeys(finding.kind for finding in findings)
    for kind in kinds:
        of_kind = [finding for finding in findings if finding.kind == kind]
        for finding in of_kind[:_SHOWN]:
            typer.echo(f"{what}: {' '.join(finding.text.split())}")
        if len(of_kind) > _SHOWN:
            typer.echo(f"{what}: and {len(of_kind) - _SHOWN} more of this kind; --json FILE writes all")
