"""`omnibind evaluate`: accuracy of a bundle on recordings, for each sensor and every subset of sensors.

The JSON file has all figures (`Evaluation.to_json`), the terminal a summary.
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
    """Which recordings are used."""

    test = "test"
    dev = "dev"
    train = "train"
    all = "all"


def evaluate(
    bundle: Annotated[str, typer.Option(help="Name of an installed bundle, or its folder.")] = "digits",
    recipe: Annotated[str, typer.Option(help="A recipe's name, or its file.")] = "digits",
    root: options.DataRoot = None,
    split: Annotated[WhichSplit, typer.Option(help="Which recordings are used.")] = WhichSplit.test,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all scores to this file.")] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the sensor sets.")] = 0,
    learned: Annotated[
        bool,
        typer.Option(
            "--learned", help="Compare with learned fusion rules, trained on the dev split (needs torch)."
        ),
    ] = False,
) -> None:
    """Evaluate a bundle as robots run it: each sensor and every subset, clean and with one faulty sensor.

    A bundle that was trained on all recordings, as the shipped one, has been trained on the test split, too;
    its accuracy on held-back recordings is in its manifest.

    omnibind evaluate --bundle engines/digits --recipe digits --root DATA --split test --json scores.json
    """
    root = options.data_root(root)
    options.check_output("--json", json_file)
    plan, loaded = load_recipe(recipe), Bundle.load(bundle)
    everything = read_recordings(plan, root)
    recordings = select(everything, plan, split.value)
    if not recordings:
        raise ConfigError(f"the {split.value} split of recipe {plan.name!r} is empty below {root}")
    learn_rules = _learn_rules() if learned else None
    learn_from = select(everything, plan, "dev") if learned else []
    scores = evaluate_bundle(loaded, recordings, learn_rules=learn_rules, learn_from=learn_from, seed=seed)
    seen = loaded.manifest.provenance.trained_on in ("all", split.value)
    if json_file is not None:
        json_file.write_text(json.dumps({**scores.to_json(), "seen_in_training": seen}, indent=2) + "\n")
    Console().print(_table(scores))
    Console().print(_rules(scores))
    if seen:
        typer.echo(
            f"Bundle {loaded.name!r} was trained on these recordings; its accuracy on held-back ones is in "
            f"{loaded.folder / MANIFEST}."
        )


def _learn_rules() -> LearnRules:
    try:
        from omnibind_ros.host.training.learned_rules import learn_rules
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--learned needs the Python module {error.name!r}: "
            'pip install ".[train]" in the checkout of omnibind_ros'
        ) from error
    return learn_rules


def _table(scores: Evaluation) -> Table:
    subsets = scores.tables["subsets"]
    several = [s for s in subsets if len(s["modalities"]) > 1]
    sets = "true pairs" if several and all(s["pairs"] for s in several) else "combined by class"
    table = Table("sensors", "accuracy %", "of", title=f"each sensor alone, and all subsets fused ({sets})")
    for modality, score in scores.modalities.items():
        table.add_row(modality, f"{100 * score.accuracy:.2f}", str(score.n))
    for modality, score in scores.negatives.items():
        table.add_row(f"{modality}, none of the classes", f"{100 * score.accuracy:.2f} unknown", str(score.n))
    table.add_section()
    for size in sorted({len(s["modalities"]) for s in subsets}):
        same = [s for s in subsets if len(s["modalities"]) == size]
        mean = sum(s["accuracy"] for s in same) / len(same)
        worst = min(same, key=lambda s: float(s["accuracy"]))
        table.add_row(
            f"{size} fused: mean of {len(same)} subsets", f"{100 * mean:.2f}", str(sum(s["n"] for s in same))
        )
        table.add_row(
            f"   lowest: {' + '.join(worst['modalities'])}", f"{100 * worst['accuracy']:.2f}", str(worst["n"])
        )
    return table


def _rules(scores: Evaluation) -> Table:
    conditions = scores.tables["conditions"]
    table = Table("error %, two sensors or more", *conditions, title="fusion rules on the same embeddings")
    rules = next(iter(conditions.values()))["accuracy"] if conditions else {}
    for rule in rules:
        table.add_row(rule, *(f"{100 * (1 - c['accuracy'][rule]):.2f}" for c in conditions.values()))
    return table
