"""Ablation of stage 1: the student with everything, without each part, and without a teacher.

All students have the same network, augmentation, number of drawn samples and few labelled recordings of the
train split; they are judged on the dev split. They are given no simulated recordings, though the teacher's
image tower has seen some. The student without a teacher is an ordinary classifier: cross-entropy, one output
per class.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.training.ablation_table import FULL, NO_TEACHER, AblationScores, Cell, Trained
from omnibind_ros.host.training.cad import TERMS, CadConfig
from omnibind_ros.host.training.config import PicturesConfig, TrainingConfig
from omnibind_ros.host.training.few_shot import FewShot
from omnibind_ros.host.training.files import write_atomically
from omnibind_ros.host.training.run import TrainingRun
from omnibind_ros.host.training.student import accuracy
from omnibind_ros.names import nearest

WORDS = "words only"
PARTS = ("as_input", "of_unlabelled", *(term for term in TERMS if term not in ("text", "negative")))
"""What can be left out; the terms text and negative are the task itself."""


@dataclass(frozen=True)
class Variant:
    """A way to train; without a teacher if not `taught`."""

    name: str
    config: TrainingConfig
    taught: bool = True


def variants(config: TrainingConfig, parts: Sequence[str]) -> list[Variant]:
    """Everything, without each of `parts`, with the texts alone, and without a teacher.

    Raises:
        ConfigError: there is no such part; the nearest is suggested.
    """
    for part in parts:
        if part not in PARTS:
            raise ConfigError(f"--terms {part}: there is no such part{nearest(part, PARTS)}")
    without = [Variant(f"without {part}", _without(config, [part])) for part in parts]
    words = Variant(WORDS, _without(config, [part for part in PARTS if part != "closeness"]))
    no_teacher = Variant(NO_TEACHER, _without(config, PARTS), taught=False)
    return [Variant(FULL, config), *without, words, no_teacher]


def _without(config: TrainingConfig, parts: Sequence[str]) -> TrainingConfig:
    weights = {f"lambda_{part}": 0.0 for part in parts if part in TERMS}
    pictures = {part: False for part in parts if part not in TERMS}
    return config.model_copy(
        update={
            "cad": CadConfig(**{**config.cad.model_dump(), **weights}),
            "pictures": PicturesConfig(**{**config.pictures.model_dump(), **pictures}),
        }
    )


class Ablation:
    """All trainings of one table. Each score is written as soon as it is known and not measured again.

    Args:
        run: gives recipe, recordings, teacher and config; scores are written to its folder.
        per_class: labelled recordings of each class.
        samples: samples drawn in each training.
    """

    def __init__(self, run: TrainingRun, *, per_class: int, samples: int) -> None:
        self._run, self._per_class, self._samples = run, per_class, samples
        self._file = run.folder / f"ablation_{per_class}.json"

    def cells(self, modalities: Sequence[str], parts: Sequence[str], seeds: int) -> Iterator[Cell]:
        """The cells of the table one by one, as they are trained."""
        ways = variants(self._run.config, parts)
        for modality in modalities:
            few = FewShot(self._run, modality, per_class=self._per_class, samples=self._samples)
            for way in ways:
                accuracies = [self._score(few, way, seed) for seed in range(seeds)]
                yield Cell(modality, way.name, tuple(accuracies))

    def _score(self, few: FewShot, way: Variant, seed: int) -> float:
        training = Trained(few.modality, way.name, seed, self._samples)
        known = AblationScores.read(self._file) if self._file.exists() else AblationScores(self._per_class)
        if training not in known.accuracies:
            known = replace(known, accuracies={**known.accuracies, training: self._train(few, way, seed)})
            write_atomically(self._file, known.to_json().encode())
        return known.accuracies[training]

    def _train(self, few: FewShot, way: Variant, seed: int) -> float:
        folder = self._run.folder / "ablation"
        shutil.rmtree(folder, ignore_errors=True)
        subject = f"{few.modality} {way.name}"
        student = few.student(way.config, seed, folder, taught=way.taught, subject=subject)
        shutil.rmtree(folder)
        one_per_class = np.eye(len(self._run.recipe.labels), dtype=np.float32)
        centres = self._run.centres if way.taught else one_per_class
        return round(accuracy(student, few.dev_samples, centres), 4)
