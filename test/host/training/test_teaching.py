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
from omnibind_ros.host.training.fit import save_weights  # noqa: E402
from omnibind_ros.host.training.run import TrainingRun  # noqa: E402
from omnibind_ros.host.training.student_plans import usual_plan  # noqa: E402
from omnibind_ros.host.training.teaching import TEXTS_ONLY, Teaching  # noqa: E402

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


def no_student() -> None:
    raise AssertionError("no picture, no image tower")


def test_without_pictures_the_teacher_knows_words_only(tmp_path, monkeypatch):
    monkeypatch.setattr("omnibind_ros.host.training.teaching.MiniLMTeacher", Words)
    teaching = Teaching(DIGITS, [], no_student, tmp_path / "run/teacher", TrainingConfig())
    assert not teaching.has_pictures
    targets = teaching.targets([], DEFAULT_CAD)
    assert targets.centres.shape == (10, 16)
    assert len(targets.pictures) == 0
    np.testing.assert_allclose(np.linalg.norm(targets.centres, axis=1), 1, rtol=1e-5)


def test_class_centres_are_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr("omnibind_ros.host.training.teaching.MiniLMTeacher", Words)
    folder = tmp_path / "run/teacher"
    first = Teaching(DIGITS, [], no_student, folder, TrainingConfig()).anchors
    monkeypatch.setattr("omnibind_ros.host.training.teaching.MiniLMTeacher", no_student)
    again = Teaching(DIGITS, [], no_student, folder, TrainingConfig()).anchors
    np.testing.assert_array_equal(first.centres, again.centres)


def test_a_recipe_without_pictures_can_be_taught(tmp_path, monkeypatch):
    monkeypatch.setattr("omnibind_ros.host.training.teaching.MiniLMTeacher", Words)
    monkeypatch.setattr(TrainingRun, "recordings", lambda *_: [])
    run = TrainingRun(DIGITS, tmp_path, tmp_path / "run", TrainingConfig())
    run.teach()
    assert (run.folder / "anchors.npz").exists()
    assert not (run.folder / "teacher").exists()


def test_the_words_alone_ask_for_no_picture():
    assert not TEXTS_ONLY.asks_about_pictures
    assert DEFAULT_CAD.asks_about_pictures


def test_a_tower_that_is_trained_needs_no_image_student(tmp_path, monkeypatch):
    monkeypatch.setattr("omnibind_ros.host.training.teaching.MiniLMTeacher", Words)
    folder = tmp_path / "run/teacher"
    folder.mkdir(parents=True)
    save_weights(Student((3, 48, 48), 16, usual_plan("image").student), folder / "student.pt")
    picture = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    shown = Recording("image", "signs", "one", "1", "", lambda: picture)
    teaching = Teaching(DIGITS, [shown], no_student, folder, TrainingConfig())
    assert teaching.teacher.encode_images([picture]).shape == (1, 16)
