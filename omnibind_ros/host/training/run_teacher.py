"""The teacher of a run: its towers, the class centres, and the targets it gives for recordings.

MiniLM has no image tower, so the run trains one (`RUN/teacher/student.pt`): the run's image student, which
maps the recipe's pictures to their words, is trained further on more pictures and on samples of other sensors
(simulated, or made from pictures) rendered as pictures. It can then classify recordings of those sensors.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from omnibind_ros.host.data.from_pictures import as_modality
from omnibind_ros.host.data.recipe import Recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.simulated import simulated_recordings
from omnibind_ros.host.data.to_pictures import Looks, renderer, shown
from omnibind_ros.host.models.student import Student
from omnibind_ros.host.models.teachers import (
    CachedTeacher,
    MiniLMTeacher,
    Teacher,
    TextTeacher,
    TowerTeacher,
    TwoTowerTeacher,
    make_class_centres,
)
from omnibind_ros.host.models.teachers.teacher import Vectors
from omnibind_ros.host.training.cad import CadConfig
from omnibind_ros.host.training.config import TrainingConfig
from omnibind_ros.host.training.files import write_atomically
from omnibind_ros.host.training.fit import ONE_DEVICE, Execution
from omnibind_ros.host.training.samples import prepare_samples
from omnibind_ros.host.training.student import StudentTask, load_student, train_student
from omnibind_ros.host.training.student_plans import usual_plan
from omnibind_ros.host.training.targets import PictureEmbeddings, Targets, embed_pictures, make_targets
from omnibind_ros.modalities.registry import make_preprocessor

MINILM = "minilm"
TEXTS_ONLY = CadConfig(lambda_image=0, lambda_relation=0, lambda_structure=0, lambda_embedding=0)
"""Terms of a student of the texts alone, without an image teacher."""

_RENDERED_PER_CLASS = 60
"""Samples of each other sensor in the image tower's training: so many simulated, so many from pictures."""


class RunTeacher:
    """The teacher of one run; everything is made on first use and kept in files.

    Args:
        pictures: labelled image recordings of the train split, which the teacher may use.
        image_student: gives the run's image student, with which the image tower starts.
        folder: of the image tower and the cached embeddings; the class centres are in the folder above.
    """

    def __init__(
        self,
        recipe: Recipe,
        pictures: Sequence[Recording],
        image_student: Callable[[], Student],
        folder: Path,
        config: TrainingConfig,
        execution: Execution = ONE_DEVICE,
    ) -> None:
        self._recipe, self._recordings, self._folder = recipe, pictures, folder
        self._image_student, self._config, self._execution = image_student, config, execution

    @property
    def space_id(self) -> str:
        """Identifies the space: embeddings of different teachers or recipes are not comparable."""
        if self._config.teacher.model == MINILM:
            return f"{MiniLMTeacher.id}/{self._recipe.name}/1"
        return f"{self._texts.id}/{self._recipe.name}/1"

    @property
    def has_pictures(self) -> bool:
        """Whether the recipe has pictures; without any, only texts teach."""
        return len(self._recordings) > 0

    @cached_property
    def centres(self) -> Vectors:
        """The class centres float32 [K, D], unit norm."""
        file = self._folder.parent / "anchors.npz"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            descriptions = [self._recipe.described(label) for label in self._recipe.labels]
            archive = io.BytesIO()
            np.savez(archive, centres=make_class_centres(self._texts, descriptions))
            write_atomically(file, archive.getvalue())
        with np.load(file) as stored:
            centres: Vectors = stored["centres"]
            return centres

    def targets(self, recordings: Sequence[Recording], cad: CadConfig) -> Targets:
        """The targets of recordings; the image teacher is used only if a term of `cad` needs it."""
        if not (cad.needs_pictures and self.has_pictures):
            return Targets.texts_only(self.centres, len(recordings))
        looks = Looks(self._recordings)
        return make_targets(self.model, self.centres, recordings, looks, self._pictures, cad)

    @cached_property
    def model(self) -> Teacher:
        """Text and image tower; the image tower is trained on first use."""
        self._folder.mkdir(parents=True, exist_ok=True)
        texts = self._texts
        towers = texts if isinstance(texts, TwoTowerTeacher) else self._with_image_tower(texts)
        return CachedTeacher(towers, self._folder / "answers.sqlite")

    @cached_property
    def _texts(self) -> TextTeacher:
        model = self._config.teacher.model
        return MiniLMTeacher() if model == MINILM else TwoTowerTeacher(model)

    @cached_property
    def _pictures(self) -> PictureEmbeddings:
        return embed_pictures(self.model, self._recordings, self._recipe.label_names)

    def _with_image_tower(self, texts: TextTeacher) -> Teacher:
        preprocessor, image = make_preprocessor("image"), usual_plan("image")
        dim = self.centres.shape[1]
        tower = load_student(self._folder, preprocessor.input_shape[1:], dim, image.student)
        if tower is None:
            seed = self._config.seed
            samples = prepare_samples(self._lessons(), self._recipe.label_names, preprocessor, seed=seed)
            task = StudentTask(
                replace(image, samples=self._config.teacher.samples, lr=image.lr / 2),
                TEXTS_ONLY,
                subject="image teacher",
                seed=seed,
                precision=self._config.precision,
            )
            tower = train_student(
                samples,
                Targets.texts_only(self.centres, len(samples)),
                task,
                self._folder,
                execution=self._execution,
                start=self._image_student(),
            )
        return TowerTeacher(texts, tower, preprocessor)

    def _lessons(self) -> list[Recording]:
        """What the image tower is trained on."""
        seed, recipe = self._config.seed, self._recipe
        lessons = [*self._recordings, *simulated_recordings(recipe, "image", seed)]
        for modality in recipe.modalities:
            if modality == "image" or renderer(modality) is None:
                continue
            few = recipe.model_copy(update={"simulated": {modality: _RENDERED_PER_CLASS}})
            samples = simulated_recordings(few, modality, seed) if modality in recipe.simulated else []
            if modality in recipe.from_pictures:
                source = recipe.from_pictures[modality]
                pictures = [r for r in self._recordings if r.source == source]
                samples += as_modality(pictures, modality, seed, _RENDERED_PER_CLASS)
            lessons += shown(samples)
        return lessons
