"""`omnibind evaluate`: accuracy of a bundle on recordings, for each sensor and every subset of sensors.

The JSON file has all figures (`Evaluation.to_json`), the terminal a summary.
"""

from __future__ import annotations

import json
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

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
from omnibind_ros.host.evaluation.timelines.benchmark import evaluate_timelines
from omnibind_ros.names import nearest


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
    timelines: Annotated[
        bool,
        typer.Option("--timelines", help="Instead: scenes that change, and sensors that fail, in time."),
    ] = False,
    sensors: Annotated[
        list[str] | None,
        typer.Option(help="With --timelines: sensors of one robot, e.g. image+audio; may be repeated."),
    ] = None,
) -> None:
    """Evaluate a bundle as robots run it: each sensor and every subset, clean and with one faulty sensor.

    A bundle that was trained on all recordings, as the shipped one, has been trained on the test split, too;
    its accuracy on held-back recordings is in its manifest.

    omnibind evaluate --bundle engines/digits --recipe digits --root DATA --split test --json scores.json
    omnibind evaluate --root DATA --split test --timelines --sensors image+audio+touch
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
    seen = loaded.manifest.provenance.trained_on in ("all", split.value)
    if timelines:
        robots = [_modalities(loaded, names) for names in sensors or ()]
        found = evaluate_timelines(loaded, recordings, sets=robots, seed=seed)
        tables = [_reactions(found), _faults(found)]
    else:
        scores = evaluate_bundle(
            loaded, recordings, learn_rules=learn_rules, learn_from=learn_from, seed=seed
        )
        found, tables = scores.to_json(), [_table(scores), _rules(scores)]
    if json_file is not None:
        json_file.write_text(json.dumps({**found, "seen_in_training": seen}, indent=2) + "\n")
    for table in tables:
        Console().print(table)
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


def _modalities(bundle: Bundle, names: str) -> list[str]:
    known = bundle.manifest.fusion.modalities
    for name in names.split("+"):
        if name not in known:
            raise ConfigError(
                f"--sensors {names}: bundle {bundle.name!r} has no {name!r}{nearest(name, known)}"
            )
    return names.split("+")


def _reactions(found: dict[str, Any]) -> Table:
    title = "nothing is wrong: seconds to the first right answer, % of the time"
    table = Table("sensors", "method", "median", "p90", "wrong", "unknown", "ECE", title=title)
    for name, methods in found["healthy"].items():
        for method, row in methods.items():
            reaction = [_seconds(row["reaction_s"][key]) for key in ("median", "p90")]
            shares = [_percent(row[key]) for key in ("wrong", "unknown", "ece")]
            table.add_row(name, method, *reaction, *shares)
            name = ""
        table.add_section()
    return table


def _faults(found: dict[str, Any]) -> Table:
    title = "a sensor fails: % of the time not right, from 20 s after it first contradicted the scene"
    alarms = (
        f"{row['per_hour']:.2f} ({when}; {row['count']} in {row['hours']:.1f} h)"
        for when, row in found["false_alarms"].items()
    )
    caption = f"false alarms per hour of a healthy sensor: {', '.join(alarms)}"
    columns = ("sensors", "fault", "noticed", "memory", "unknown", "without it", "snapshot")
    table = Table(*columns, title=title, caption=caption)
    for name, kinds in found["faults"].items():
        for kind, fault in kinds.items():
            memory, snapshot = fault["methods"]["memory"], fault["methods"]["snapshot"]
            shares = [memory["not_right"], memory["unknown"], memory["without"], snapshot["not_right"]]
            what = f"{', '.join(fault['faulty'])} {kind}"
            table.add_row(name, what, _seconds(memory["noticed_s"]), *map(_percent, shares))
            name = ""
        table.add_section()
    return table


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f} s"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"
