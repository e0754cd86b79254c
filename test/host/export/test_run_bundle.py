"""A finished run is evaluated once and exported with its scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from recipes import write_recipe  # noqa: E402

from omnibind_ros.host.export import run_bundle  # noqa: E402
from omnibind_ros.host.export.run_bundle import evaluate_run, export_run  # noqa: E402
from omnibind_ros.host.training import learned_rules  # noqa: E402
from omnibind_ros.host.training.config import TrainingConfig, changed  # noqa: E402
from omnibind_ros.host.training.fit import Execution  # noqa: E402
from omnibind_ros.host.training.run import TrainingRun  # noqa: E402

CHANNELS = {"wrist": 6, "ankle": 3}
RHYTHMS_HZ = {"yes": 0.5, "no": 3.0}


def write_recordings(root: Path) -> None:
    """Two takes of each label by one subject per split, recorded by both sensors at once."""
    seconds = np.arange(150) / 50
    for sensor, channels in CHANNELS.items():
        (root / sensor).mkdir(parents=True)
        for label, rhythm in RHYTHMS_HZ.items():
            for subject in ("train", "dev", "test"):
                for take in range(2):
                    wave = np.sin(2 * np.pi * rhythm * seconds + take)[:, None]
                    noise = np.random.default_rng(take).normal(0, 0.1, (len(wave), channels))
                    np.save(
                        root / sensor / f"{label}_{subject}_{take}.npy", (wave + noise).astype(np.float32)
                    )


@pytest.fixture
def run(tmp_path, monkeypatch) -> TrainingRun:
    write_recordings(tmp_path / "data")
    recipe = write_recipe(
        tmp_path,
        *(
            {
                "modality": sensor,
                "reader": "pattern",
                "path": f"{sensor}/{{label}}_{{group}}_{{take}}.npy",
                "pair": "{label} {group} {take}",
            }
            for sensor in CHANNELS
        ),
        modalities={
            sensor: {"adaptor": "series", "preprocessing": {"channels": channels, "rate": 50}}
            for sensor, channels in CHANNELS.items()
        },
        split={"test_groups": ["test"], "dev_groups": ["dev"]},
    )
    monkeypatch.setattr(learned_rules, "_SETS", 500)
    short = [f"students.{s}.{key}" for s in CHANNELS for key in ("samples=640", "variants=1")]
    folder = tmp_path / "run"
    folder.mkdir()
    np.savez(folder / "anchors.npz", centres=np.eye(2, 16, dtype=np.float32))
    config = changed(TrainingConfig(), short)
    return TrainingRun(recipe, tmp_path / "data", folder, config, execution=Execution(progress=False))


def test_a_run_is_evaluated_once_and_exported_with_its_scores(run, monkeypatch):
    scores = evaluate_run(run)
    assert set(scores["modalities"]) == set(CHANNELS)
    assert all(score["n"] == 4 for score in scores["modalities"].values())
    subsets = [(subset["modalities"], subset["pairs"]) for subset in scores["subsets"]]
    assert subsets == [(["wrist"], True), (["ankle"], True), (["wrist", "ankle"], True)]
    assert "cross-attention" in scores["conditions"]["clean"]["accuracy"]
    assert json.loads((run.folder / "evaluation.json").read_text()) == scores
    assert (run.folder / "split-bundle/bundle.yaml").exists()
    monkeypatch.setattr(run_bundle, "evaluate", None)
    assert evaluate_run(run) == scores

    bundle = export_run(run, run.folder / "shipped", "final", scores)
    provenance = bundle.manifest.provenance
    assert provenance.trained_on == "all"
    by_size = provenance.metrics["test_accuracy_by_number_of_modalities"]
    assert isinstance(by_size, dict) and set(by_size) == {"1", "2"}
    assert bundle.manifest.encoders["wrist"].metrics == scores["modalities"]["wrist"]
    assert (run.folder / "final/wrist/evidence.pt").exists()
