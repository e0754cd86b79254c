"""The teacher of a run."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from omnibind_ros.host.data.recipe import load_recipe  # noqa: E402
from omnibind_ros.host.data.recording import Recording  # noqa: E402
from omnibind_ros.host.models.student import Student  # noqa: E402
from omnibind_ros.host.training.cad import DEFAULT_CAD  # noqa: E402
from omnibind_ros.host.training.config import TrainingConfig  # noqa: E402
from omnibind_ros.host.training.files import save_weights  # noqa: E402
from omnibind_ros.host.training.run import TrainingRun  # noqa: E402
from omnibind_ros.host.training.run_teacher import TEXTS_ONLY, RunTeacher  # noqa: E402
from omnibind_ros.host.training.student_plans import usual_plan  # noqa: E402

DIGITS = load_recipe("digits")


class Words:
    """Ten class centres from ten words."""

    id = "words"

    def __init__(self) -> None:
        self.asked = 0

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        self.asked += 1
        vectors = np.stack([np.random.default_rng(list(t.encode())).standard_normal(16) for t in texts])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def no_student() -> Student:
    raise AssertionError("no picture, no image tower")


def test_without_pictures_only_texts_teach(tmp_path, monkeypatch):
    monkeypatch.setattr("omnibind_ros.host.training.run_teacher.MiniLMTeacher", Words)
    teacher = RunTeacher(DIGITS, [], no_student, tmp_path / "run/teacher", TrainingConfig())
    assert not teacher.has_pictures
    targets = teacher.targets([], DEFAULT_CAD)
    assert targets.centres.shape == (10, 16)
    assert len(targets.pictures) == 0
    np.testing.assert_allclose(np.linalg.norm(targets.centres, axis=1), 1, rtol=1e-5)


def test_class_centres_are_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr("omnibind_ros.host.training.run_teacher.MiniLMTeacher", Words)
    folder = tmp_path / "run/teacher"
    first = RunTeacher(DIGITS, [], no_student, folder, TrainingConfig()).centres
    monkeypatch.setattr("omnibind_ros.host.training.run_teacher.MiniLMTeacher", no_student)
    again = RunTeacher(DIGITS, [], no_student, folder, TrainingConfig()).centres
    np.testing.assert_array_equal(first, again)


def test_a_recipe_without_pictures_can_be_taught(tmp_path, monkeypatch):
    monkeypatch.setattr("omnibind_ros.host.training.run_teacher.MiniLMTeacher", Words)
    monkeypatch.setattr(TrainingRun, "recordings", lambda *_: [])
    run = TrainingRun(DIGITS, tmp_path, tmp_path / "run", TrainingConfig())
    run.make_teacher()
    assert (run.folder / "anchors.npz").exists()
    assert not (run.folder / "teacher").exists()


def test_texts_alone_need_no_pictures():
    assert not TEXTS_ONLY.needs_pictures
    assert DEFAULT_CAD.needs_pictures


def test_a_tower_that_is_trained_needs_no_image_student(tmp_path, monkeypatch):
    monkeypatch.setattr("omnibind_ros.host.training.run_teacher.MiniLMTeacher", Words)
    folder = tmp_path / "run/teacher"
    folder.mkdir(parents=True)
    save_weights(Student((3, 48, 48), 16, usual_plan("image").student), folder / "student.pt")
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    shown = Recording("image", "signs", "one", "1", "", lambda: picture)
    teacher = RunTeacher(DIGITS, [shown], no_student, folder, TrainingConfig())
    assert teacher.model.encode_images([picture]).shape == (1, 16)
