"""A training run as a bundle, and the evaluation of that bundle on held-back recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.host.data.splits import select
from omnibind_ros.host.evaluation.bundle_evaluation import evaluate
from omnibind_ros.host.export.bundle_writer import TrainedEncoder, write_bundle
from omnibind_ros.host.training.fusion import FusionPlan
from omnibind_ros.host.training.learned_rules import learn_rules
from omnibind_ros.host.training.run import Stage, TrainingRun


def evaluate_run(run: TrainingRun) -> dict[str, Any]:
    """Evaluate the students trained on the train split and their fusion on the test split.

    The result is kept in `RUN/evaluation.json`, the evaluated bundle in `RUN/split-bundle`.

    Returns:
        What `omnibind evaluate --json` writes.
    """
    file = run.folder / "evaluation.json"
    if not file.exists():
        bundle = export_run(run, run.folder / "split-bundle", "split", metrics={})
        recordings = [r for m in run.recipe.modalities for r in run.recordings(m)]
        test, dev = (select(recordings, run.recipe, split) for split in ("test", "dev"))
        scores = evaluate(bundle, test, learn_rules=learn_rules, learn_from=dev, seed=run.seed)
        file.write_text(json.dumps(scores.to_json(), indent=2))
    result: dict[str, Any] = json.loads(file.read_text())
    return result


def export_run(run: TrainingRun, folder: Path, stage: Stage, metrics: dict[str, Any]) -> Bundle:
    """Write the bundle of a run, training first what is missing.

    Args:
        folder: of the bundle.
        stage: which students, `split` (trained on the train split) or `final` (on all recordings).
        metrics: result of `evaluate_run` for the manifest; may be empty.
    """
    fusion, scaling = run.fusion()
    by_modality = metrics.get("modalities", {})
    encoders = {
        m: TrainedEncoder(run.encoder(m, stage), run.recipe.preprocessor(m), by_modality.get(m, {}))
        for m in run.recipe.modalities
    }
    return write_bundle(
        folder,
        run.recipe,
        run.space,
        encoders,
        fusion,
        run.centres,
        scaling,
        max_sensors=FusionPlan().max_sensors,
        trained_on="all" if stage == "final" else "train",
        metrics=_summary(metrics),
    )


def _summary(metrics: dict[str, Any]) -> dict[str, Any]:
    """Mean accuracy of the subsets of each size, short enough for a manifest."""
    if not metrics:
        return {}
    sizes: dict[int, list[float]] = {}
    for subset in metrics["subsets"]:
        sizes.setdefault(len(subset["modalities"]), []).append(subset["accuracy"])
    by_size = {str(size): round(float(np.mean(scores)), 4) for size, scores in sorted(sizes.items())}
    return {"test_accuracy_by_number_of_modalities": by_size, "test_sources": metrics["sources"]}
