"""Few-shot students and the variants of an ablation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from bars import bars  # noqa: E402
from torch import nn  # noqa: E402

from omnibind_ros.errors import ConfigError  # noqa: E402
from omnibind_ros.host.data.recipe import Recipe, load_recipe  # noqa: E402
from omnibind_ros.host.data.recording import Recording  # noqa: E402
from omnibind_ros.host.data.scene import simulator  # noqa: E402
from omnibind_ros.host.training import few_shot  # noqa: E402
from omnibind_ros.host.training.ablation import PARTS, WORDS, Ablation, variants  # noqa: E402
from omnibind_ros.host.training.ablation_table import FULL, NO_TEACHER, summary, tables  # noqa: E402
from omnibind_ros.host.training.config import TrainingConfig, changed  # noqa: E402
from omnibind_ros.host.training.few_shot import FewShot, draw_few  # noqa: E402
from omnibind_ros.host.training.fit import Execution  # noqa: E402
from omnibind_ros.host.training.run import TrainingRun  # noqa: E402
from omnibind_ros.host.training.samples import UNLABELLED, Samples  # noqa: E402


def grouped(count: int, groups: int) -> Samples:
    samples = bars(count, 0)
    return Samples(
        samples.inputs, samples.labels, samples.sources, np.array([f"g{n % groups}" for n in range(count)])
    )


def test_few_shots_are_balanced_over_classes_and_spread_over_groups():
    samples = grouped(400, groups=5)
    rows = draw_few(samples, 5, seed=0)
    labels = samples.labels.numpy()[rows]
    assert {int(k): int((labels == k).sum()) for k in np.unique(labels)} == {-1: 5, 0: 5, 1: 5, 2: 5}
    for label in np.unique(labels):
        assert len(set(samples.groups[rows[labels == label]])) == 5


def test_the_same_seed_draws_the_same_and_another_others():
    samples = grouped(200, groups=3)
    first, again, other = (draw_few(samples, 4, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_what_is_not_drawn_loses_its_label_and_nothing_else():
    samples = grouped(60, groups=2)
    few = samples.with_labels_of(draw_few(samples, 3, seed=0))
    kept = few.labels != UNLABELLED
    assert int(kept.sum()) == 12
    assert torch.equal(few.labels[kept], samples.labels[kept])
    assert few.inputs is samples.inputs


def test_each_variant_lacks_the_part_in_its_name():
    ways = {way.name: way for way in variants(TrainingConfig(), PARTS)}
    assert ways[FULL].config == TrainingConfig()
    assert ways["without relation"].config.cad.lambda_relation == 0
    assert ways["without relation"].config.cad.lambda_image == TrainingConfig().cad.lambda_image
    assert not ways["without as_input"].config.pictures.as_input
    assert not ways[WORDS].config.cad.needs_pictures
    assert ways[WORDS].config.cad.lambda_closeness > 0
    assert not ways[NO_TEACHER].taught
    assert ways[NO_TEACHER].config.cad.lambda_closeness == 0
    with pytest.raises(ConfigError, match="did you mean 'relation'"):
        variants(TrainingConfig(), ["relatoin"])


DIGITS = load_recipe("digits")


@pytest.fixture
def tiny_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingRun:
    """Three simulated recordings of each digit and modality instead of real ones."""

    def recordings(self: TrainingRun, modality: str) -> list[Recording]:
        source = {"image": "handwritten", "touch": "traced"}[modality]

        def one(label: str, n: int) -> Recording:
            raw = simulator(modality)(int(label), np.random.default_rng(n))
            group = ("AB", "CD", "HM")[n] if modality == "touch" else ""
            return Recording(modality, source, f"{modality}/{label}/{n}", label, group, lambda: raw)

        return [one(label, n) for label in DIGITS.labels for n in range(3)]

    monkeypatch.setattr(TrainingRun, "recordings", recordings)
    run = tmp_path / "run"
    run.mkdir()
    centres = np.eye(10, 16, dtype=np.float32)
    np.savez(run / "anchors.npz", centres=centres)
    recipe: Recipe = DIGITS.model_copy(update={"simulated": {}})
    config = changed(
        TrainingConfig(),
        ["teacher.samples=640", "pictures.per_class=1", "students.image.samples=640", "seed=3"],
    )
    return TrainingRun(recipe, tmp_path, run, config, execution=Execution(progress=False))


class OneText:
    id = "one text"

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        raise AssertionError("the class centres are there already")


def test_a_whole_table_is_trained_once_and_read_back(tiny_run, monkeypatch):
    monkeypatch.setattr("omnibind_ros.host.training.run_teacher.MiniLMTeacher", OneText)
    ask: dict[str, Any] = {"modalities": ["touch"], "parts": ["as_input", "relation"], "seeds": 2}
    cells = list(Ablation(tiny_run, per_class=1, samples=640).cells(**ask))
    assert [cell.variant for cell in cells] == [
        FULL,
        "without as_input",
        "without relation",
        WORDS,
        NO_TEACHER,
    ]
    assert all(len(cell.accuracies) == 2 and 0 <= cell.mean <= 1 for cell in cells)
    assert (tiny_run.folder / "teacher/answers.sqlite").exists()
    assert not (tiny_run.folder / "ablation").exists()

    def trained_again(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(few_shot, "train_student", trained_again)
    assert list(Ablation(tiny_run, per_class=1, samples=640).cells(**ask)) == cells
    found = summary(cells)
    assert tables(tiny_run.folder) == [{"per_class": 1, "samples": 640, **found}]
    nobody = next(cell.mean for cell in cells if cell.variant == NO_TEACHER)
    assert found["gain_over_no_teacher"][FULL] == pytest.approx(cells[0].mean - nobody, abs=1e-4)
    assert found["cells"][0]["std"] == pytest.approx(np.std(cells[0].accuracies, ddof=1), abs=1e-4)


def test_a_student_is_trained_once_and_read_back(tiny_run, tmp_path, monkeypatch):
    words = next(way.config for way in variants(tiny_run.config, ()) if way.name == WORDS)

    def student() -> nn.Module:
        few = FewShot(tiny_run, "touch", per_class=1, samples=64)
        assert [r.label for r in few.labelled(seed=2)] == list(DIGITS.labels)
        return few.student(words, 2, tmp_path / "one")

    made = student().state_dict()
    monkeypatch.setattr(few_shot, "train_student", None)
    assert all(torch.equal(made[name], value) for name, value in student().state_dict().items())
