"""Stage 1 on something small enough to learn in seconds."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from omnibind_ros.models.student import StudentConfig  # noqa: E402
from omnibind_ros.training.input_augment import InputAugment  # noqa: E402
from omnibind_ros.training.samples import NEGATIVE, Samples  # noqa: E402
from omnibind_ros.training.stage1 import (  # noqa: E402
    StudentTraining,
    accuracy,
    embed,
    stage1_loss,
    train_student,
)
from omnibind_ros.training.student_plans import StudentPlan  # noqa: E402

ANCHORS = np.eye(3, 16, dtype=np.float32)
PLAN = StudentPlan(StudentConfig((8, 16)), InputAugment(shift_x=0.05, fill=0.0), samples=3000, batch=32)


def bars(count: int, seed: int) -> Samples:
    """Three classes of pictures (a bar left, middle, right) and noise that is none of them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 3, count)
    pictures = rng.normal(0, 0.3, (count, 1, 1, 12, 12)).astype(np.float16)
    for row, label in enumerate(labels):
        if label != NEGATIVE:
            pictures[row, 0, 0, :, 2 + 4 * label] += 2
    return Samples(
        torch.from_numpy(pictures), torch.from_numpy(labels), np.full(count, "bars"), np.full(count, "")
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    return train_student(bars(400, 0), ANCHORS, PLAN, run=run, progress=False), run


def test_a_student_learns_its_classes_and_to_shun_the_negatives(trained):
    student, _ = trained
    fresh = bars(200, 1)
    assert accuracy(student, fresh, ANCHORS) > 0.97
    vectors, _ = embed(student, fresh.clean)
    best = (vectors @ ANCHORS.T).max(axis=1)
    negative = fresh.labels.numpy() == NEGATIVE
    assert best[negative].mean() < 0.5 < 0.8 < best[~negative].mean()


def test_a_finished_student_is_read_back(trained):
    student, run = trained
    again = train_student(bars(10, 2), ANCHORS, PLAN, run=run, progress=False)
    x = torch.randn(4, 1, 12, 12)
    torch.testing.assert_close(again(x)[0], student(x)[0])


def test_the_same_seed_gives_the_same_student(tmp_path):
    short = StudentPlan(PLAN.student, PLAN.augment, samples=640, batch=32)
    first, second = (
        train_student(bars(64, 0), ANCHORS, short, run=tmp_path / name, seed=7, progress=False)
        for name in "ab"
    )
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_the_loss_falls_towards_the_right_centre_and_away_from_all_for_a_negative():
    anchors = torch.from_numpy(ANCHORS)
    at, elsewhere = 8 * anchors[1:2], 8 * torch.eye(16)[9:10]
    one, none = torch.tensor([1]), torch.tensor([NEGATIVE])
    assert stage1_loss(at, one, anchors, 0.0) < stage1_loss(elsewhere, one, anchors, 0.0)
    assert stage1_loss(at, one, anchors, 0.0) < stage1_loss(8 * anchors[2:3], one, anchors, 0.0)
    assert stage1_loss(elsewhere, none, anchors, 0.0) < stage1_loss(at, none, anchors, 0.0)


def test_an_interrupted_training_goes_on_where_it_stopped(tmp_path, monkeypatch):
    short = StudentPlan(PLAN.student, samples=640, batch=32)
    epochs: list[int] = []

    def note_epoch(training: StudentTraining) -> None:
        epochs.append(training.current_epoch)
        if epochs == [0, 1, 2, 3, 4]:
            raise RuntimeError("power cut")

    monkeypatch.setattr(StudentTraining, "on_train_epoch_start", note_epoch)
    with pytest.raises(RuntimeError, match="power cut"):
        train_student(bars(64, 0), ANCHORS, short, run=tmp_path, progress=False)
    assert not (tmp_path / "student.pt").exists()
    train_student(bars(64, 0), ANCHORS, short, run=tmp_path, progress=False)
    assert epochs == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9]
    assert [file.name for file in tmp_path.iterdir()] == ["student.pt"]
