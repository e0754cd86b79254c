"""Students of a few labelled recordings per class, as for a user who records little.

The other recordings of the train split are used without their labels, or not at all.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.data.from_pictures import as_modality
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.splits import select
from omnibind_ros.host.models.student import Student
from omnibind_ros.host.models.teachers.teacher import Vectors
from omnibind_ros.host.training.config import PicturesConfig, TrainingConfig
from omnibind_ros.host.training.run import TrainingRun
from omnibind_ros.host.training.run_teacher import TEXTS_ONLY
from omnibind_ros.host.training.samples import UNLABELLED, Samples, prepare_samples
from omnibind_ros.host.training.student import Pretraining, StudentTask, load_student, train_student
from omnibind_ros.host.training.student_plans import StudentPlan, plan_of
from omnibind_ros.host.training.targets import Targets, with_peer


def draw_few(samples: Samples, per_class: int, seed: int) -> NDArray[np.intp]:
    """Rows of `per_class` samples of each class and as many negatives, from as many groups as possible.

    The same seed draws the same rows. Of a class with fewer samples, all are drawn.
    """
    rng = np.random.default_rng(seed)
    labels = samples.labels.numpy()
    drawn = []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        # The n-th sample of each group comes before the (n+1)-th of any.
        number = np.zeros(len(rows), np.int64)
        for group in np.unique(samples.groups[rows]):
            of_group = samples.groups[rows] == group
            number[of_group] = np.arange(of_group.sum())
        drawn.append(rows[np.argsort(number, kind="stable")[:per_class]])
    return np.sort(np.concatenate(drawn))


class FewShot:
    """Students of one modality that are trained with a few labels of the train split.

    They are given no simulated recordings, though the teacher's image tower has seen some. What is read and
    prepared is shared by all trainings.

    Args:
        run: gives recipe, recordings and teacher.
        per_class: labelled recordings of each class.
        samples: samples drawn in each training.
    """

    def __init__(self, run: TrainingRun, modality: str, *, per_class: int, samples: int) -> None:
        self.modality, self._run = modality, run
        self._per_class, self._drawn = per_class, samples
        self._plan = plan_of(run.recipe, modality)
        # The teacher's targets do not depend on which labels a student knows.
        self._targets = lru_cache(maxsize=1)(run.teacher.targets)

    def labelled(self, seed: int) -> tuple[Recording, ...]:
        """The recordings whose labels are known; another seed draws others."""
        return self._as_recorded[draw_few(self._as_recorded, self._per_class, seed)].recordings

    @cached_property
    def dev_samples(self) -> Samples:
        """The dev split, on which students are judged."""
        return self._prepared("dev", 1)

    def student(
        self, config: TrainingConfig, seed: int, folder: Path, *, taught: bool = True, subject: str = ""
    ) -> Student:
        """A student, trained now or read back from `folder`.

        Args:
            seed: of the drawn recordings and of the training.
            taught: otherwise an ordinary classifier with one output per class.
            subject: what is trained, for messages.
        """
        run = self._run
        centres = run.centres if taught else np.eye(len(run.recipe.labels), dtype=np.float32)
        plan = self._short_plan(config)
        shape = run.recipe.preprocessor(self.modality).input_shape[1:]
        finished = load_student(folder, shape, centres.shape[1], plan.student)
        if finished is not None:
            return finished
        samples = self._known(seed, config.pictures)
        if taught:
            targets = self._targets(samples.recordings, config.cad)
            if self.modality in run.recipe.taught_by and config.cad.needs_pictures:
                vectors = self._peer_embeddings(samples, config, seed, folder / "partner")
                targets = with_peer(targets, vectors, config.cad)
        else:
            targets = Targets.texts_only(centres, len(samples))
        made_of_pictures = self._pictures.sources if self._pictures is not None else ()
        task = StudentTask(
            plan,
            config.cad,
            subject=subject or self.modality,
            seed=seed,
            precision=config.precision,
            pretraining=Pretraining(frozenset(made_of_pictures), config.pictures.until),
        )
        return train_student(samples, targets, task, folder, execution=run.execution)

    def _peer_embeddings(self, samples: Samples, config: TrainingConfig, seed: int, folder: Path) -> Vectors:
        """Embeddings of the samples' moments by a student of another modality with the same few labels."""
        by = self._run.recipe.taught_by[self.modality]
        peer = FewShot(self._run, by, per_class=self._per_class, samples=self._drawn)
        known = (samples.labels != UNLABELLED).tolist()
        moments = {r.pair for r, labelled in zip(samples.recordings, known, strict=True) if labelled}
        few = peer._own[np.array([r.pair in moments for r in peer._own.recordings], bool)]
        task = StudentTask(
            peer._short_plan(config), TEXTS_ONLY, subject=by, seed=seed, precision=config.precision
        )
        targets = Targets.texts_only(self._run.centres, len(few))
        student = train_student(few, targets, task, folder, execution=self._run.execution)
        return self._run.peer_embeddings(by, student, samples.recordings)

    def _short_plan(self, config: TrainingConfig) -> StudentPlan:
        return replace(config.plan(self._plan, self.modality), samples=self._drawn)

    def _known(self, seed: int, pictures: PicturesConfig) -> Samples:
        """What a student is trained on."""
        rows = draw_few(self._own, self._per_class, seed)
        samples = self._own.with_labels_of(rows) if pictures.of_unlabelled else self._own[rows]
        if pictures.as_input and self._pictures is not None:
            samples = Samples.joined(samples, self._pictures)
        return samples

    @cached_property
    def _as_recorded(self) -> Samples:
        """The recordings of `_own` in the same order, without augmented versions."""
        return self._prepared("train", 1)

    @cached_property
    def _own(self) -> Samples:
        return self._prepared("train", self._plan.variants)

    @cached_property
    def _pictures(self) -> Samples | None:
        """Pictures converted into inputs of the modality."""
        recipe, run = self._run.recipe, self._run
        if self.modality not in recipe.from_pictures:
            return None
        source = recipe.from_pictures[self.modality]
        pictures = [r for r in select(run.recordings("image"), recipe, "train") if r.source == source]
        recordings = as_modality(pictures, self.modality, run.seed, run.config.pictures.per_class)
        preprocessor = recipe.preprocessor(self.modality)
        return prepare_samples(recordings, recipe.label_names, preprocessor, self._plan.variants, run.seed)

    def _prepared(self, split: Literal["train", "dev"], variants: int) -> Samples:
        run = self._run
        recordings = select(run.recordings(self.modality), run.recipe, split)
        preprocessor = run.recipe.preprocessor(self.modality)
        return prepare_samples(recordings, run.recipe.label_names, preprocessor, variants, run.seed)
