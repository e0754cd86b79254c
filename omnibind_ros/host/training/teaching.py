"""The teacher of a run: who it is, its image tower, and what it says about recordings.

MiniLM knows texts only. Its image tower (`RUN/teacher/student.pt`) is the run's image student, which has
learnt from the recipe's pictures to land on their words, taught further: by more pictures, and by the samples
of other sensors shown as pictures, those that were simulated or made of pictures. So it can then say what a
recording of such a sensor shows.
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
    Anchors,
    CachedTeacher,
    MiniLMTeacher,
    Teacher,
    TextTeacher,
    TowerTeacher,
    TwoTowerTeacher,
    make_anchors,
)
from omnibind_ros.host.training.cad import CadConfig
from omnibind_ros.host.training.config import TrainingConfig
from omnibind_ros.host.training.fit import ONE_DEVICE, Machine, write_whole
from omnibind_ros.host.training.samples import prepare_samples
from omnibind_ros.host.training.stage1 import train_student
from omnibind_ros.host.training.student_plans import usual_plan
from omnibind_ros.host.training.targets import Pictures, Targets, make_targets, see_pictures
from omnibind_ros.modalities.registry import make_preprocessor

MINILM = "minilm"
TEXTS_ONLY = CadConfig(lambda_image=0, lambda_relation=0, lambda_structure=0, lambda_embedding=0)
"""A tower learns from the words alone: there is nobody above it."""

_SHOWN_PER_CLASS = 60
"""Samples of each other sensor that are shown to the tower in training, simulated and made of pictures."""


class Teaching:
    """One teacher.

    Args:
        pictures: labelled recordings of images of the train split; the teacher may know them.
        image_student: the run's, trained on first use.
        folder: where tower, class centres and answers are kept.
    """

    def __init__(
        self,
        recipe: Recipe,
        pictures: Sequence[Recording],
        image_student: Callable[[], Student],
        folder: Path,
        config: TrainingConfig,
        machine: Machine = ONE_DEVICE,
    ) -> None:
        self._recipe, self._recordings, self._folder = recipe, pictures, folder
        self._image_student, self._config, self._machine = image_student, config, machine

    @property
    def space_id(self) -> str:
        """Names the space: embeddings of different teachers or recipes do not compare."""
        if self._config.teacher.model == MINILM:
            return f"{MiniLMTeacher.id}/{self._recipe.name}/1"
        return f"{self._texts.id}/{self._recipe.name}/1"

    @property
    def has_pictures(self) -> bool:
        """Without any, the teacher knows words only."""
        return len(self._recordings) > 0

    @cached_property
    def anchors(self) -> Anchors:
        """The class centres, from the teacher or from an earlier start of the run."""
        file = self._folder.parent / "anchors.npz"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            made = make_anchors(self._texts, [self._recipe.described(label) for label in self._recipe.labels])
            whole = io.BytesIO()
            np.savez(whole, centres=made.centres, origin=made.origin)
            write_whole(file, whole.getvalue())
        with np.load(file) as kept:
            return Anchors(kept["centres"], kept["origin"])

    def targets(self, recordings: Sequence[Recording], cad: CadConfig) -> Targets:
        """What the teacher says about recordings; about pictures only if a term asks for it."""
        centres = self.anchors.centres
        if not (cad.asks_about_pictures and self.has_pictures):
            return Targets.texts_only(centres, len(recordings))
        looks = Looks(self._recordings)
        return make_targets(self.teacher, centres, recordings, looks, self._pictures, cad)

    @cached_property
    def teacher(self) -> Teacher:
        """Texts and pictures; the image tower is trained on first use."""
        self._folder.mkdir(parents=True, exist_ok=True)
        texts = self._texts
        towers = texts if isinstance(texts, TwoTowerTeacher) else self._with_tower(texts)
        return CachedTeacher(towers, self._folder / "answers.sqlite")

    @cached_property
    def _texts(self) -> TextTeacher:
        model = self._config.teacher.model
        return MiniLMTeacher() if model == MINILM else TwoTowerTeacher(model)

    @cached_property
    def _pictures(self) -> Pictures:
        return see_pictures(self.teacher, self._recordings, self._recipe.label_names)

    def _with_tower(self, texts: TextTeacher) -> Teacher:
        adaptor = make_preprocessor("image")
        usual = usual_plan("image")
        plan = replace(usual, samples=self._config.teacher.samples, lr=usual.lr / 2)
        samples = prepare_samples(self._lessons(), self._recipe.label_names, adaptor, seed=self._config.seed)
        tower = train_student(
            samples,
            Targets.texts_only(self.anchors.centres, len(samples)),
            plan,
            run=self._folder,
            cad=TEXTS_ONLY,
            subject="image teacher",
            seed=self._config.seed,
            precision=self._config.precision,
            machine=self._machine,
            start=None if self._is_taught else self._image_student(),
        )
        return TowerTeacher(texts, tower, adaptor)

    @property
    def _is_taught(self) -> bool:
        return (self._folder / "student.pt").exists()

    def _lessons(self) -> list[Recording]:
        if self._is_taught:
            return list(self._recordings[:1])
        seed, recipe = self._config.seed, self._recipe
        lessons = [*self._recordings, *simulated_recordings(recipe, "image", seed)]
        for modality in recipe.modalities:
            if modality == "image" or renderer(modality) is None:
                continue
            few = recipe.model_copy(update={"simulated": {modality: _SHOWN_PER_CLASS}})
            made = simulated_recordings(few, modality, seed) if modality in recipe.simulated else []
            if modality in recipe.from_pictures:
                source = recipe.from_pictures[modality]
                pictures = [r for r in self._recordings if r.source == source]
                made += as_modality(pictures, modality, seed, _SHOWN_PER_CLASS)
            lessons += shown(made)
        return lessons
