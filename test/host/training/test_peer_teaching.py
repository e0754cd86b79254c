"""A student's embeddings of shared moments are targets of another, with or without labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from bars import ANCHORS, PLAN, bars, words  # noqa: E402

from omnibind_ros.errors import ConfigError  # noqa: E402
from omnibind_ros.host.data.recipe import Recipe, load_recipe  # noqa: E402
from omnibind_ros.host.data.recording import Recording  # noqa: E402
from omnibind_ros.host.training import few_shot  # noqa: E402
from omnibind_ros.host.training import run as training_run  # noqa: E402
from omnibind_ros.host.training.ablation import WORDS, Ablation  # noqa: E402
from omnibind_ros.host.training.ablation_table import FULL, NO_TEACHER  # noqa: E402
from omnibind_ros.host.training.cad import CadConfig  # noqa: E402
from omnibind_ros.host.training.config import TrainingConfig, changed  # noqa: E402
from omnibind_ros.host.training.fit import Execution  # noqa: E402
from omnibind_ros.host.training.peer_teaching import of_same_moments, peer_embeddings  # noqa: E402
from omnibind_ros.host.training.run import TrainingRun  # noqa: E402
from omnibind_ros.host.training.samples import NEGATIVE, UNLABELLED, Samples  # noqa: E402
from omnibind_ros.host.training.student import StudentTask, accuracy, train_student  # noqa: E402
from omnibind_ros.host.training.targets import with_peer  # noqa: E402


def recording(modality: str, pair: str, label: str | None = "wave") -> Recording:
    return Recording(modality, "made", f"{modality} {pair}", label, "", lambda: None, pair=pair)


def of_moments(samples: Samples, modality: str) -> Samples:
    return replace(samples, recordings=tuple(recording(modality, f"take {n}") for n in range(len(samples))))


def test_only_recordings_of_shared_moments_are_used():
    mine = [recording("skeleton", p) for p in ("a", "b", "")]
    theirs = [recording("imu", p) for p in ("b", "c", "")]
    assert of_same_moments(theirs, mine) == [theirs[0]]
    with pytest.raises(ConfigError, match="no recording of 'skeleton' has the same pair as one of 'imu'"):
        of_same_moments(theirs[1:], mine)
    assert of_same_moments([], mine) == []


def test_a_peer_teaches_unlabelled_samples(tmp_path):
    """The partner sees the same moments upside down; of the other's samples three have a label."""
    shown = bars(400, 0)
    shown = of_moments(shown[shown.labels.numpy() != NEGATIVE], "skeleton")
    partner_shown = replace(
        of_moments(shown, "imu"), inputs=shown.inputs.flip(-2) + 0.2 * torch.randn_like(shown.inputs.float())
    )
    partner = train_student(partner_shown, words(partner_shown), StudentTask(PLAN), tmp_path / "imu")
    few = shown.with_labels_of(np.array([int((shown.labels == k).nonzero()[0]) for k in range(3)]))
    assert int((few.labels == UNLABELLED).sum()) == len(few) - 3
    seen = peer_embeddings(partner, partner_shown[np.arange(len(shown) - 5)], few.recordings)
    assert not seen[-5:].any()  # no recording of these moments
    np.testing.assert_allclose(np.linalg.norm(seen[:-5], axis=1), 1, rtol=1e-5)
    targets = with_peer(words(few), seen, CadConfig())
    assert targets.has_own[:-5].float().mean() > 0.9 and not targets.has_own[-5:].any()
    dev = bars(200, 9)
    alone, taught = (
        accuracy(train_student(few, of, StudentTask(PLAN), tmp_path / name), dev, ANCHORS)
        for name, of in (("alone", words(few)), ("taught", targets))
    )
    assert taught > 0.97
    assert taught > alone


def test_a_picture_of_the_moment_has_priority_and_doubtful_embeddings_are_dropped():
    pictured = replace(words(bars(3, 0)), own=torch.from_numpy(ANCHORS[[0, 0, 0]] * [[1], [0], [0]]).float())
    seen = np.stack([ANCHORS[1], ANCHORS[1], (ANCHORS[1] + ANCHORS[2]) / np.sqrt(2)]).astype(np.float32)
    own = with_peer(pictured, seen, CadConfig()).own.numpy()
    np.testing.assert_array_equal(own[0], ANCHORS[0])
    np.testing.assert_array_equal(own[1], ANCHORS[1])
    assert not own[2].any()


def movements(run: TrainingRun, modality: str) -> list[Recording]:
    """Six takes of each of two labels, by three groups (the third is for choosing) and two sensors."""
    if modality not in ("imu", "skeleton"):
        return []

    def take(label: str, group: str, n: int) -> Recording:
        raw = np.random.default_rng([n, label == "jog"]).normal(size=(200, 60)).astype(np.float32)
        if modality == "imu":
            raw = raw[:, :6]
        name = f"{modality} {label} {group} {n}"
        return Recording(modality, "tracked", name, label, group, lambda: raw, pair=f"{label} {group} {n}")

    return [take(label, group, n) for label in ("wave", "jog") for group in ("1", "2", "5") for n in range(2)]


@pytest.fixture
def taught_run(tmp_path, monkeypatch) -> TrainingRun:
    """Skeletons are taught by the inertial unit, however unsure it is."""
    monkeypatch.setattr(TrainingRun, "recordings", movements)
    recipe: Recipe = load_recipe("actions").model_copy(update={"taught_by": {"skeleton": "imu"}})
    few = [f"students.{m}.{key}" for m in ("imu", "skeleton") for key in ("samples=640", "variants=1")]
    config = changed(TrainingConfig(), [*few, "cad.sure=0"])
    folder = tmp_path / "run"
    folder.mkdir()
    np.savez(folder / "anchors.npz", centres=np.eye(8, 16, dtype=np.float32))
    return TrainingRun(recipe, tmp_path, folder, config, execution=Execution(progress=False))


@pytest.fixture
def trained(monkeypatch) -> list[tuple[str, int, int, bool, Path]]:
    """Of each training: who, samples, those with a label, whether anybody said something, and where."""
    seen = []

    def watched(samples, targets, task, folder, **options):
        labelled = int((samples.labels >= 0).sum())
        heard = bool(targets.has_own.all())
        seen.append((task.subject, len(samples), labelled, heard, folder))
        return train_student(samples, targets, task, folder, **options)

    for module in (training_run, few_shot):
        monkeypatch.setattr(module, "train_student", watched)
    return seen


def test_the_peer_is_trained_first_and_on_the_same_recordings(taught_run, trained):
    folder = taught_run.folder
    taught_run.student("skeleton", "split")
    assert trained == [
        ("imu", 8, 8, False, folder / "split/imu"),
        ("skeleton", 8, 8, True, folder / "split/skeleton"),
    ]
    taught_run.student("imu", "split")
    assert len(trained) == 2
    taught_run.folds("skeleton")
    assert [
        (who, samples, where.relative_to(folder).as_posix()) for who, samples, *_, where in trained[2:]
    ] == [(m, 8, f"folds/{m}/{group}") for group in ("1", "2", "5") for m in ("imu", "skeleton")]


def test_with_few_labels_the_peer_has_those_of_the_same_moments(taught_run, trained):
    cells = list(Ablation(taught_run, per_class=1, samples=640).cells(["skeleton"], [], seeds=1))
    assert [cell.variant for cell in cells] == [FULL, WORDS, NO_TEACHER]
    assert [entry[:4] for entry in trained] == [
        ("imu", 2, 2, False),
        (f"skeleton {FULL}", 8, 2, True),
        (f"skeleton {WORDS}", 2, 2, False),
        (f"skeleton {NO_TEACHER}", 2, 2, False),
    ]
