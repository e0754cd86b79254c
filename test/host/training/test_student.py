"""Stage 1 on images small enough to learn in seconds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from bars import ANCHORS, PLAN, SHORT, bars, words  # noqa: E402

from omnibind_ros.errors import TrainingError  # noqa: E402
from omnibind_ros.host.models.student import embed  # noqa: E402
from omnibind_ros.host.training.config import CorruptionConfig  # noqa: E402
from omnibind_ros.host.training.damage import damage  # noqa: E402
from omnibind_ros.host.training.files import reporting_full_disk, save_weights  # noqa: E402
from omnibind_ros.host.training.fit import Execution  # noqa: E402
from omnibind_ros.host.training.samples import NEGATIVE, UNLABELLED  # noqa: E402
from omnibind_ros.host.training.student import (  # noqa: E402
    UNLABELLED_SHARE,
    DrawnSamples,
    StudentTask,
    StudentTraining,
    accuracy,
    draw_weights,
    train_student,
)

QUIET = Execution(progress=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = tmp_path_factory.mktemp("run")
    samples = bars(400, 0)
    return train_student(samples, words(samples), StudentTask(PLAN), run, execution=QUIET), run


def short_student(run: Path, *, seed: int = 7, execution: Execution = QUIET):
    samples = bars(64, 0)
    task = StudentTask(SHORT, subject="bars", seed=seed)
    return train_student(samples, words(samples), task, run, execution=execution)


def assert_same(first, second) -> None:
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_student_learns_its_classes_and_keeps_negatives_away_from_them(trained):
    student, _ = trained
    fresh = bars(200, 1)
    assert accuracy(student, fresh, ANCHORS) > 0.97
    vectors = embed(student, fresh.clean)[0].numpy()
    best = (vectors @ ANCHORS.T).max(axis=1)
    negative = fresh.labels.numpy() == NEGATIVE
    assert best[negative].mean() < 0.5 < 0.8 < best[~negative].mean()


def test_a_finished_student_is_read_back(trained):
    student, run = trained
    samples = bars(10, 2)
    again = train_student(samples, words(samples), StudentTask(PLAN), run, execution=QUIET)
    x = torch.randn(4, 1, 12, 12)
    torch.testing.assert_close(again(x)[0], student(x)[0])


def test_the_same_seed_gives_the_same_student_and_another_another(tmp_path):
    first, again = short_student(tmp_path / "a"), short_student(tmp_path / "b")
    assert_same(first, again)
    other = short_student(tmp_path / "c", seed=8)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_an_interrupted_training_ends_with_the_weights_of_an_uninterrupted_one(tmp_path, monkeypatch):
    epochs: list[int] = []
    begin = StudentTraining.on_train_epoch_start

    def note_epoch(training: StudentTraining) -> None:
        epochs.append(training.current_epoch)
        if epochs == [0, 1, 2, 3, 4]:
            raise RuntimeError("power cut")
        begin(training)

    monkeypatch.setattr(StudentTraining, "on_train_epoch_start", note_epoch)
    with pytest.raises(RuntimeError, match="power cut"):
        short_student(tmp_path / "a")
    assert not (tmp_path / "a/student.pt").exists()
    resumed = short_student(tmp_path / "a")
    assert epochs == [0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9]
    assert not (tmp_path / "a/last.ckpt").exists()
    monkeypatch.undo()
    assert_same(resumed, short_student(tmp_path / "b"))


CHILD = """
import sys, time
from pathlib import Path
from bars import SHORT, bars, words
from omnibind_ros.host.training.fit import Execution
from omnibind_ros.host.training.student import StudentTask, StudentTraining, train_student
begin = StudentTraining.on_train_epoch_start
def wait_in_the_third(training):
    begin(training)
    if training.current_epoch == 2:
        print("third epoch", flush=True)
        time.sleep(600)
StudentTraining.on_train_epoch_start = wait_in_the_third
samples, quiet = bars(64, 0), Execution(progress=False)
try:
    train_student(samples, words(samples), StudentTask(SHORT, seed=7), Path(sys.argv[1]), execution=quiet)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_or_interrupted_training_is_resumed(how, tmp_path):
    tree = str(Path(__file__).parents[3])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(
            [tree, str(Path(__file__).parents[2] / "support"), os.environ.get("PYTHONPATH", "")]
        ),
    }
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "a")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert "third epoch" in iter(child.stdout.readline, "").__next__()
        time.sleep(0.1)
        child.send_signal(how)
        assert child.wait(60) == (130 if how == signal.SIGINT else -signal.SIGKILL)
    assert (tmp_path / "a/last.ckpt").exists()
    assert not (tmp_path / "a/student.pt").exists()
    assert_same(short_student(tmp_path / "a"), short_student(tmp_path / "b"))


def test_two_processes_share_the_work(tmp_path):
    student = short_student(tmp_path / "shared", execution=Execution(devices=2, progress=False))
    assert torch.isfinite(student.head.weight).all()
    alone = short_student(tmp_path / "alone")
    assert not torch.equal(student.head.weight, alone.head.weight)
    assert accuracy(student, bars(200, 1), ANCHORS) > 0.5  # far from chance already


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(tmp_path, monkeypatch):
    from omnibind_ros.host.training import cad

    good = cad.closeness

    def breaks(batch):
        broken = (tmp_path / "last.ckpt").exists()
        return good(batch) * float("nan") if broken else good(batch)

    monkeypatch.setitem(cad.TERMS, "closeness", breaks)
    with pytest.raises(TrainingError, match=r"bars: the loss is nan at step \d+, in the term 'closeness'"):
        short_student(tmp_path)
    kept = torch.load(tmp_path / "last.ckpt", weights_only=False)
    assert all(torch.isfinite(value).all() for value in kept["state_dict"].values())
    monkeypatch.undo()
    assert_same(short_student(tmp_path), short_student(tmp_path / "undisturbed"))


def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "student.pt"
    save_weights(torch.nn.Linear(2, 2), file)
    before = file.read_bytes()

    def full(path: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    no_space = pytest.raises(TrainingError, match=r"no space left on the disk of .*run the same command")
    with no_space, reporting_full_disk(tmp_path):
        save_weights(torch.nn.Linear(2, 2), file)
    assert file.read_bytes() == before


def test_logs_are_kept_as_csv(trained):
    _, run = trained
    header = (run / "log/metrics.csv").read_text().splitlines()[0].split(",")
    assert {"loss", "loss_text", "loss_closeness", "step"} <= set(header)


def test_small_classes_are_drawn_as_often_and_the_unlabelled_in_their_share():
    samples = bars(300, 0)
    weights = draw_weights(samples.with_labels_of(np.arange(30))).numpy()
    unlabelled = samples.with_labels_of(np.arange(30)).labels.numpy() == UNLABELLED
    assert weights[unlabelled].sum() / weights.sum() == pytest.approx(UNLABELLED_SHARE)


def test_training_on_failing_sensors_makes_them_more_accurate(tmp_path):
    samples, fresh = bars(400, 0), bars(400, 1)
    damaged = damage(fresh.clean, torch.Generator().manual_seed(2))[:, None]
    broken = replace(fresh, inputs=damaged)
    plan = replace(PLAN, samples=2400)
    clean, robust = (
        train_student(
            samples,
            words(samples),
            StudentTask(plan, corruption=CorruptionConfig(share=share, damaged=1.0)),
            tmp_path / name,
            execution=QUIET,
        )
        for name, share in (("clean", 0.0), ("robust", 0.5))
    )
    assert accuracy(robust, broken, ANCHORS) > accuracy(clean, broken, ANCHORS) + 0.02
    assert accuracy(robust, fresh, ANCHORS) > 0.95


def test_corrupted_versions_are_drawn_in_their_share():
    samples = bars(100, 0)
    marked = replace(samples, corrupted=torch.full((100, 2, 1, 12, 12), 9.0, dtype=torch.float16))
    drawn = DrawnSamples(marked, words(marked), CorruptionConfig(share=0.4, damaged=0.0)).__getitems__(
        list(range(100)) * 20
    )
    assert (drawn[0] == 9.0).all(dim=(1, 2, 3)).float().mean() == pytest.approx(0.4, abs=0.05)
