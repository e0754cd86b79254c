"""What each part of stage 1 is worth: the student with all of it, without each, and without any teacher.

All have the same network, augmentation, number of samples seen and few labelled recordings of the train
split; they are judged on the dev split. Students are given no simulated recordings, though the teacher's
image tower has seen some. The student without a teacher is an ordinary classifier of its own:
cross-entropy, one output a class.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from omnibind_ros.core.errors import ConfigError
from omnibind_ros.core.names import nearest
from omnibind_ros.data.from_pictures import as_modality
from omnibind_ros.data.splits import select
from omnibind_ros.models.teachers.teacher import Vectors
from omnibind_ros.training.cad import TERMS, CadConfig
from omnibind_ros.training.config import PicturesConfig, TrainingConfig
from omnibind_ros.training.few_shot import draw_few
from omnibind_ros.training.fit import write_whole
from omnibind_ros.training.run import TrainingRun
from omnibind_ros.training.samples import UNLABELLED, Samples, prepare_samples
from omnibind_ros.training.stage1 import Pretraining, accuracy, train_student
from omnibind_ros.training.student_plans import plan_of
from omnibind_ros.training.targets import Targets, with_partner
from omnibind_ros.training.teaching import TEXTS_ONLY

ALL, NOBODY, WORDS = "all", "no teacher", "words only"
PARTS = ("as_input", "of_unlabelled", *(term for term in TERMS if term not in ("text", "negative")))
"""What can be left out; text and negative are the task itself."""


@dataclass(frozen=True)
class Variant:
    """A way to train."""

    name: str
    config: TrainingConfig
    taught: bool = True


@dataclass(frozen=True)
class Cell:
    """One variant of one modality; accuracies by seed."""

    modality: str
    variant: str
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def std(self) -> float:
        """Of a sample of seeds; 0 of a single one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else 0.0


def variants(config: TrainingConfig, parts: Sequence[str]) -> list[Variant]:
    """All of it, without each of `parts`, with the words alone, without anybody.

    Raises:
        ConfigError: there is no such part; the nearest is named.
    """
    for part in parts:
        if part not in PARTS:
            raise ConfigError(f"--terms {part}: nothing of that name can be left out{nearest(part, PARTS)}")
    without = [Variant(f"without {part}", _without(config, [part])) for part in parts]
    words = Variant(WORDS, _without(config, [part for part in PARTS if part != "closeness"]))
    nobody = Variant(NOBODY, _without(config, PARTS), taught=False)
    return [Variant(ALL, config), *without, words, nobody]


def _without(config: TrainingConfig, parts: Sequence[str]) -> TrainingConfig:
    off = {f"lambda_{part}": 0.0 for part in parts if part in TERMS}
    hidden = {part: False for part in parts if part not in TERMS}
    return config.model_copy(
        update={
            "cad": CadConfig(**{**config.cad.model_dump(), **off}),
            "pictures": PicturesConfig(**{**config.pictures.model_dump(), **hidden}),
        }
    )


class Ablation:
    """All trainings of one table; every score is kept at once, and none is made twice.

    Args:
        run: recipe, recordings, teacher and config; scores go to its folder.
        per_class: labelled recordings of each class.
        samples: samples that each student sees in training.
    """

    def __init__(self, run: TrainingRun, *, per_class: int, samples: int) -> None:
        self._run, self._per_class, self._samples = run, per_class, samples
        self._file = run.folder / f"ablation_{per_class}.json"

    def cells(self, modalities: Sequence[str], parts: Sequence[str], seeds: int) -> Iterator[Cell]:
        """One by one, as they are trained."""
        ways = variants(self._run.config, parts)
        for modality in modalities:
            material = _Material(self._run, modality)
            for way in ways:
                accuracies = [self._score(material, way, seed) for seed in range(seeds)]
                yield Cell(modality, way.name, tuple(accuracies))

    def _score(self, material: _Material, way: Variant, seed: int) -> float:
        key = f"{material.modality}/{way.name}/{seed}/{self._samples}"
        scores: dict[str, float] = json.loads(self._file.read_text()) if self._file.exists() else {}
        if key not in scores:
            scores[key] = self._train(material, way, seed)
            write_whole(self._file, json.dumps(scores, indent=2).encode())
        return scores[key]

    def _train(self, material: _Material, way: Variant, seed: int) -> float:
        config, folder = way.config, self._run.folder / "ablation"
        samples = material.few(self._per_class, seed, config.pictures)
        centres = self._run.anchors.centres
        targets, cad = self._run.teaching.targets(samples.recordings, config.cad), config.cad
        if material.modality in self._run.recipe.taught_by and cad.asks_about_pictures:
            by = self._run.recipe.taught_by[material.modality]
            targets = with_partner(targets, self._seen_by(by, samples, seed), cad)
        if not way.taught:
            centres = np.eye(len(self._run.recipe.labels), dtype=np.float32)
            targets = Targets.texts_only(centres, len(samples))
        plan = replace(config.plan(material.plan, material.modality), samples=self._samples)
        shutil.rmtree(folder, ignore_errors=True)
        student = train_student(
            samples,
            targets,
            plan,
            run=folder,
            cad=cad,
            subject=f"{material.modality} {way.name}",
            seed=seed,
            precision=config.precision,
            machine=self._run.machine,
            pretraining=material.pretraining(config.pictures),
        )
        shutil.rmtree(folder)
        return round(accuracy(student, material.judges, centres), 4)

    def _seen_by(self, partner: str, samples: Samples, seed: int) -> Vectors:
        """What a student of another modality makes of the samples' moments that knows the same few labels."""
        material, folder = _Material(self._run, partner), self._run.folder / "ablation_partner"
        known = (samples.labels != UNLABELLED).tolist()
        few = material.of_moments({r.pair for r, y in zip(samples.recordings, known, strict=True) if y})
        shutil.rmtree(folder, ignore_errors=True)
        student = train_student(
            few,
            Targets.texts_only(self._run.anchors.centres, len(few)),
            replace(self._run.config.plan(material.plan, partner), samples=self._samples),
            run=folder,
            cad=TEXTS_ONLY,
            subject=partner,
            seed=seed,
            precision=self._run.config.precision,
            machine=self._run.machine,
        )
        shutil.rmtree(folder)
        return self._run.seen_by(partner, student, samples.recordings)


class _Material:
    """Prepared samples of one modality, read once for all trainings."""

    def __init__(self, run: TrainingRun, modality: str) -> None:
        self.modality, self._run = modality, run
        self.plan = plan_of(run.recipe, modality)

    @cached_property
    def _own(self) -> Samples:
        return self._prepared("train", self.plan.variants)

    @cached_property
    def judges(self) -> Samples:
        """The dev split."""
        return self._prepared("dev", 1)

    @cached_property
    def _pictures(self) -> Samples | None:
        recipe, run = self._run.recipe, self._run
        if self.modality not in recipe.from_pictures:
            return None
        source = recipe.from_pictures[self.modality]
        pictures = [r for r in select(run.recordings("image"), recipe, "train") if r.source == source]
        made = as_modality(pictures, self.modality, run.seed, run.config.pictures.per_class)
        adaptor = recipe.adaptor(self.modality)
        return prepare_samples(made, recipe.label_names, adaptor, self.plan.variants, run.seed)

    def pretraining(self, pictures: PicturesConfig) -> Pretraining:
        """The samples made of pictures come first."""
        made = self._pictures.sources if self._pictures is not None else ()
        return Pretraining(frozenset(made), pictures.until)

    def few(self, per_class: int, seed: int, pictures: PicturesConfig) -> Samples:
        """What a student is trained on."""
        rows = draw_few(self._own, per_class, seed)
        samples = self._own.knowing(rows) if pictures.of_unlabelled else self._own[rows]
        if pictures.as_input and self._pictures is not None:
            samples = Samples.joined(samples, self._pictures)
        return samples

    def of_moments(self, moments: set[str]) -> Samples:
        """Recordings of these moments (see `Recording.pair`)."""
        return self._own[np.array([r.pair in moments for r in self._own.recordings], bool)]

    def _prepared(self, split: Any, variants: int) -> Samples:
        run = self._run
        recordings = select(run.recordings(self.modality), run.recipe, split)
        adaptor = run.recipe.adaptor(self.modality)
        return prepare_samples(recordings, run.recipe.label_names, adaptor, variants, run.seed)


def summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """Plain data: every cell, and by variant the mean over modalities and the gain over no teacher."""
    names = list(dict.fromkeys(cell.variant for cell in cells))
    mean = {name: float(np.mean([c.mean for c in cells if c.variant == name])) for name in names}
    return {
        "cells": [
            {**vars(c), "accuracies": list(c.accuracies), "mean": round(c.mean, 4), "std": round(c.std, 4)}
            for c in cells
        ],
        "mean_over_modalities": {name: round(value, 4) for name, value in mean.items()},
        "gain_over_no_teacher": _gains(mean),
    }


def _gains(mean: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value - mean[NOBODY], 4) for name, value in mean.items() if name != NOBODY}
