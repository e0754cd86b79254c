"""`omnibind evaluate`: how good is a bundle on recordings, sensor by sensor and for every subset of them?

The JSON file holds everything (`training.evaluation.Evaluation.to_json`), the screen the gist.
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.cli import options
from omnibind_ros.config.resources import MANIFEST
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.data.splits import select
from omnibind_ros.host.evaluation.bundle_evaluation import Evaluation, LearnRules
from omnibind_ros.host.evaluation.bundle_evaluation import evaluate as evaluate_bundle


class WhichSplit(str, Enum):
    """Which recordings are taken."""

    test = "test"
    dev = "dev"
    train = "train"
    all = "all"


def evaluate(
    bundle: Annotated[str, typer.Option(help="Name of an installed bundle, or its folder.")] = "digits",
    recipe: Annotated[str, typer.Option(help="A recipe's name, or its file.")] = "digits",
    root: options.DataRoot = None,
    split: Annotated[WhichSplit, typer.Option(help="Which recordings.")] = WhichSplit.test,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the scores to this file.")] = None,
    seed: Annotated[int, typer.Option(help="Of the sets that subsets are judged on.")] = 0,
    learned: Annotated[
        bool,
        typer.Option("--learned", help="Learned rivals, too, from the dev split (needs torch)."),
    ] = False,
) -> None:
    """Measure a bundle as a robot runs it: each sensor alone, every subset, clean and with a sensor gone bad.

    A bundle that was trained on all recordings (as the shipped one is) has seen the test split too: its
    held-back figures are in its manifest.

    omnibind evaluate --bundle engines/digits --recipe digits --root DATA --split test --json scores.json
    """
    if root is None:
        raise ConfigError("where are the recordings? --root DATA, or set OMNIBIND_DATA")
    if json_file and not json_file.parent.is_dir():
        raise ConfigError(f"--json {json_file}: there is no folder {json_file.parent}; make it first")
    plan, loaded = load_recipe(recipe), Bundle.load(bundle)
    everything = read_recordings(plan, root)
    recordings = select(everything, plan, split.value)
    if not recordings:
        raise ConfigError(f"the {split.value} split of recipe {plan.name!r} is empty below {root}")
    learn_rules: LearnRules | None = None
    if learned:
        from omnibind_ros.host.training.learned_rules import learn_rules
    learn_from = select(everything, plan, "dev") if learned else []
    scores = evaluate_bundle(loaded, recordings, learn_rules=learn_rules, learn_from=learn_from, seed=seed)
    seen = loaded.manifest.provenance.trained_on in ("all", split.value)
    if json_file is not None:
        json_file.write_text(json.dumps({**scores.to_json(), "seen_in_training": seen}, indent=2) + "\n")
    Console().print(_table(scores))
    Console().print(_rules(scores))
    if seen:
        typer.echo(
            f"Bundle {loaded.name!r} was trained on these recordings; what it scores on held-back ones is in "
            f"{loaded.folder / MANIFEST}."
        )


def _table(scores: Evaluation) -> Table:
    several = [s for s in scores.tables["subsets"] if len(s["modalities"]) > 1]
    sets = "true pairs" if several and all(s["pairs"] for s in several) else "put together by class"
    table = Table("sensors", "accuracy %", "of", title=f"alone, and any subset fused ({sets})")
    for modality, score in scores.modalities.items():
        table.add_row(modality, f"{100 * score.accuracy:.2f}", str(score.n))
    for modality, score in scores.negatives.items():
        table.add_row(f"{modality}, none of the classes", f"{100 * score.accuracy:.2f} unknown", str(score.n))
    table.add_section()
    sizes = sorted({len(s.modalities) for s in scores.subsets})
    for size in sizes:
        same = [s for s in scores.subsets if len(s.modalities) == size]
        mean = sum(s.accuracy for s in same) / len(same)
        worst = min(same, key=lambda s: s.accuracy)
        table.add_row(
            f"{size} fused: mean of {len(same)} subsets", f"{100 * mean:.2f}", str(sum(s.n for s in same))
        )
        table.add_row(
            f"   hardest: {' + '.join(worst.modalities)}", f"{100 * worst.accuracy:.2f}", str(worst.n)
        )
    return table


def _rules(scores: Evaluation) -> Table:
    conditions = scores.tables["conditions"]
    table = Table("error %, two sensors or more", *conditions, title="rules of fusion on the same embeddings")
    rules = next(iter(conditions.values()))["accuracy"] if conditions else {}
    for rule in rules:
        table.add_row(rule, *(f"{100 * (1 - c['accuracy'][rule]):.2f}" for c in conditions.values()))
    return table
