"""The file of an ablation gives its table again, also of an unfinished one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.training.ablation_table import (
    FULL,
    NO_TEACHER,
    AblationScores,
    Cell,
    Trained,
    summary,
    tables,
)


def scores(per_class: int = 10) -> AblationScores:
    rng = np.random.default_rng(per_class)
    return AblationScores(
        per_class,
        {
            Trained(modality, variant, seed, samples): round(float(rng.random()), 4)
            for samples in (640, 15_000)
            for modality in ("touch", "event")
            for variant in (FULL, "without relation", NO_TEACHER)
            for seed in (1, 0)
        },
    )


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "ablation_10.json"
    file.write_text(scores().to_json())
    assert AblationScores.read(file) == scores()


def test_a_cell_has_one_accuracy_per_seed_in_their_order() -> None:
    found = scores()
    cells = found.cells(640)
    assert [(c.modality, c.variant) for c in cells[:3]] == [
        ("touch", FULL),
        ("touch", "without relation"),
        ("touch", NO_TEACHER),
    ]
    assert cells[0].accuracies == tuple(
        found.accuracies[Trained("touch", FULL, seed, 640)] for seed in (0, 1)
    )
    assert len(cells) == 6


def test_a_run_has_a_table_for_each_number_of_recordings_and_of_samples(tmp_path: Path) -> None:
    for per_class in (10, 5):
        (tmp_path / f"ablation_{per_class}.json").write_text(scores(per_class).to_json())
    found = tables(tmp_path)
    assert [(t["per_class"], t["samples"]) for t in found] == [(5, 640), (5, 15_000), (10, 640), (10, 15_000)]
    assert found[2] == {"per_class": 10, "samples": 640, **summary(scores().cells(640))}
    assert tables(tmp_path / "nowhere") == []


def test_gains_are_over_the_student_without_a_teacher() -> None:
    cells = [
        Cell("touch", FULL, (0.9, 0.8)),
        Cell("event", FULL, (0.95,)),
        Cell("touch", NO_TEACHER, (0.8,)),
        Cell("event", NO_TEACHER, (0.9,)),
    ]
    found = summary(cells)
    assert found["mean_over_modalities"] == {FULL: 0.9, NO_TEACHER: 0.85}
    assert found["gain_over_no_teacher"] == {FULL: 0.05}
    assert found["cells"][0]["std"] == pytest.approx(0.0707, abs=1e-4)


def test_an_unfinished_variant_has_no_mean() -> None:
    cells = [Cell("touch", FULL, (0.9,)), Cell("touch", NO_TEACHER, (0.8,)), Cell("event", FULL, (0.95,))]
    found = summary(cells)
    assert list(found["mean_over_modalities"]) == [FULL]
    assert found["gain_over_no_teacher"] == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"touch/all/0/640": 0.9}', json.dumps({"trainings": [{}]})])
def test_a_damaged_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "ablation_10.json").write_text(text)
    with pytest.raises(ConfigError, match=r"ablation_10\.json is not a table of ablation scores"):
        tables(tmp_path)
