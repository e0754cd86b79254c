"""A few recordings of each class, the others without their labels: how little must somebody record?"""

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
from omnibind_ros.host.training.fit import load_weights
from omnibind_ros.host.training.run import TrainingRun
from omnibind_ros.host.training.run_teacher import TEXTS_ONLY
from omnibind_ros.host.training.samples import UNLABELLED, Samples, prepare_samples
from omnibind_ros.host.training.student import Pretraining, train_student
from omnibind_ros.host.training.student_plans import plan_of
from omnibind_ros.host.training.targets import Targets, with_partner


def draw_few(samples: Samples, per_class: int, seed: int) -> NDArray[np.intp]:
    """Rows of `per_class` samples of each class (and as many negatives), from as many groups as possible.

    The same seed draws the same rows; of a class with fewer samples all are drawn.
    """
    rng = np.random.default_rng(seed)
    labels = samples.labels.numpy()
    drawn = []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        # The n-th sample of each group comes before anybody's (n+1)-th.
        turn = np.zeros(len(rows), np.int64)
        for group in np.unique(samples.groups[rows]):
            of_group = samples.groups[rows] == group
            turn[of_group] = np.arange(of_group.sum())
        drawn.append(rows[np.argsort(turn, kind="stable")[:per_class]])
    return np.sort(np.concatenate(drawn))


class FewShot:
    """Students of one modality that know the labels of a few recordings of the train split.

    Students are given no simulated recordings, though the teacher's image tower has seen some. What is read
    and prepared serves all trainings.

    Args:
        run: recipe, recordings and teacher.
        per_class: labelled recordings of each class.
        samples: samples that each student sees in training.
    """

    def __init__(self, run: TrainingRun, modality: str, *, per_class: int, samples: int) -> None:
        self.modality, self._run = modality, run
        self._per_class, self._samples = per_class, samples
        self._plan = plan_of(run.recipe, modality)
        # The teacher says the same whichever labels a student knows.
        self._targets = lru_cache(maxsize=1)(run.teaching.targets)

    def labelled(self, seed: int) -> tuple[Recording, ...]:
        """The recordings whose labels are known; another seed draws others."""
        return self._as_recorded[draw_few(self._as_recorded, self._per_class, seed)].recordings

    @cached_property
    def judges(self) -> Samples:
        """The dev split."""
        return self._prepared("dev", 1)

    def student(
        self, config: TrainingConfig, seed: int, folder: Path, *, taught: bool = True, subject: str = ""
    ) -> Student:
        """A student, trained now or read back from `folder`.

        Args:
            taught: else an ordinary classifier, one output a class.
            subject: what is trained, for messages.
        """
        run, plan = self._run, config.plan(self._plan, self.modality)
        one_a_class = np.eye(len(run.recipe.labels), dtype=np.float32)
        if (folder / "student.pt").exists():
            dim = (run.anchors.centres if taught else one_a_class).shape[1]
            student = Student(run.recipe.adaptor(self.modality).input_shape[1:], dim, plan.student)
            load_weights(student, folder / "student.pt")
            return student.eval()
        samples = self._known(seed, config.pictures)
        if taught:
            targets = self._targets(samples.recordings, config.cad)
            if self.modality in run.recipe.taught_by and config.cad.asks_about_pictures:
                seen = self._seen_by_partner(samples, config, seed, folder / "partner")
                targets = with_partner(targets, seen, config.cad)
        else:
            targets = Targets.texts_only(one_a_class, len(samples))
        return train_student(
            samples,
            targets,
            replace(plan, samples=self._samples),
            run=folder,
            cad=config.cad,
            subject=subject or self.modality,
            seed=seed,
            precision=config.precision,
            machine=run.machine,
            pretraining=Pretraining(
                # The samples made of pictures come first.
                frozenset(self._pictures.sources if self._pictures is not None else ()),
                config.pictures.until,
            ),
        )

    def _seen_by_partner(self, samples: Samples, config: TrainingConfig, seed: int, folder: Path) -> Vectors:
        """What a student of another modality makes of the samples' moments that knows the same few labels."""
        by = self._run.recipe.taught_by[self.modality]
        partner = FewShot(self._run, by, per_class=self._per_class, samples=self._samples)
        known = (samples.labels != UNLABELLED).tolist()
        moments = {r.pair for r, labelled in zip(samples.recordings, known, strict=True) if labelled}
        few = partner._own[np.array([r.pair in moments for r in partner._own.recordings], bool)]
        student = train_student(
            few,
            Targets.texts_only(self._run.anchors.centres, len(few)),
            replace(config.plan(partner._plan, by), samples=self._samples),
            run=folder,
            cad=TEXTS_ONLY,
            subject=by,
            seed=seed,
            precision=config.precision,
            machine=self._run.machine,
        )
        return self._run.seen_by(by, student, samples.recordings)

    def _known(self, seed: int, pictures: PicturesConfig) -> Samples:
        """What a student is trained on."""
        rows = draw_few(self._own, self._per_class, seed)
        samples = self._own.knowing(rows) if pictures.of_unlabelled else self._own[rows]
        if pictures.as_input and self._pictures is not None:
            samples = Samples.joined(samples, self._pictures)
        return samples

    @cached_property
    def _as_recorded(self) -> Samples:
        """Quicker to have than `_own`, and in the same order."""
        return self._prepared("train", 1)

    @cached_property
    def _own(self) -> Samples:
        return self._prepared("train", self._plan.variants)

    @cached_property
    def _pictures(self) -> Samples | None:
        """Pictures turned into the modality's own kind of input."""
        recipe, run = self._run.recipe, self._run
        if self.modality not in recipe.from_pictures:
            return None
        source = recipe.from_pictures[self.modality]
        pictures = [r for r in select(run.recordings("image"), recipe, "train") if r.source == source]
        made = as_modality(pictures, self.modality, run.seed, run.config.pictures.per_class)
        adaptor = recipe.adaptor(self.modality)
        return prepare_samples(made, recipe.label_names, adaptor, self._plan.variants, run.seed)

    def _prepared(self, split: Literal["train", "dev"], variants: int) -> Samples:
        run = self._run
        recordings = select(run.recordings(self.modality), run.recipe, split)
        adaptor = run.recipe.adaptor(self.modality)
        return prepare_samples(recordings, run.recipe.label_names, adaptor, variants, run.seed)
