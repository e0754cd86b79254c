"""A training run: one folder that keeps the result of every step, so that an interrupted run can continue.

    config       everything the results depend on                    RUN/config.yaml
    teacher      class centres; an image tower where needed          RUN/anchors.npz, RUN/teacher/
    students     one per modality, trained on the train split        RUN/split/<modality>/student.pt
    evidence     head of each student, on the same recordings        RUN/split/<modality>/evidence.pt
    fusion       trained and calibrated on the dev split             RUN/fusion.pt, RUN/calibration.json
    evaluation   of these on the test split (`host.export`)          RUN/evaluation.json, RUN/split-bundle/
    final        students trained on all recordings, for export      RUN/final/<modality>/student.pt

A step makes what it needs first and reads back what exists. Fusion depends on an embedding only through its
cosines to the class centres and its evidence, so the fusion trained with the students of the train split is
used with the final ones as well.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np

from omnibind_ros.bundle.temperature_scaling import TemperatureScaling
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.from_pictures import as_modality, made_of
from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import TEACHER_MODALITIES, Recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.simulated import simulated_recordings
from omnibind_ros.host.data.splits import select
from omnibind_ros.host.evaluation.pools import Pool, halves, make_pool
from omnibind_ros.host.models.adaptive_fusion import AdaptiveFusionModel
from omnibind_ros.host.models.evidence import EvidenceEncoder, EvidenceHead
from omnibind_ros.host.models.student import Student
from omnibind_ros.host.models.teachers.teacher import Vectors
from omnibind_ros.host.training.config import TrainingConfig, keep_config, kept_config
from omnibind_ros.host.training.evidence import embedder, train_evidence
from omnibind_ros.host.training.files import load_weights, save_weights
from omnibind_ros.host.training.fit import ONE_DEVICE, Execution
from omnibind_ros.host.training.fusion import FusionPlan, fit_temperature_scaling, train_fusion
from omnibind_ros.host.training.peer_teaching import of_same_moments, peer_embeddings
from omnibind_ros.host.training.run_teacher import TEXTS_ONLY, RunTeacher
from omnibind_ros.host.training.samples import NEGATIVE, prepare_samples
from omnibind_ros.host.training.student import (
    Pretraining,
    StudentTask,
    accuracy,
    load_student,
    train_student,
)
from omnibind_ros.host.training.student_plans import plan_of
from omnibind_ros.host.training.targets import with_peer
from omnibind_ros.names import nearest
from omnibind_ros.types import Space

log = logging.getLogger(__name__)

Stage = Literal["split", "final"]
"""What a student is trained on: the train split, or all recordings."""

_DEV_SEED, _TRAIN_SEED = 1, 0
_SIMULATED_IN_POOLS = 25
"""Simulated samples per class and modality that are added to the recordings in the training of fusion."""

_FILES = (
    "config.yaml", "anchors.npz", "teacher", "split", "final", "folds", "fusion.pt", "calibration.json",
    "evaluation.json", "split-bundle",
)  # fmt: skip
"""What a run writes and a restart removes, besides tables of folds and ablations."""


class TrainingRun:
    """All steps of one recipe on one folder of recordings.

    Args:
        recipe: what to train.
        root: folder of the recordings.
        folder: of the run.
        config: how to train; None takes the config that the run was started with.
        execution: on which devices.
        restart: remove the results of earlier starts first.

    Raises:
        ConfigError: the run was started with another config or recipe and is not to be restarted.
    """

    def __init__(
        self,
        recipe: Recipe,
        root: Path,
        folder: Path,
        config: TrainingConfig | None = None,
        *,
        execution: Execution = ONE_DEVICE,
        restart: bool = False,
    ) -> None:
        self.recipe, self.root, self.folder, self.execution = recipe, root, folder, execution
        folder.mkdir(parents=True, exist_ok=True)
        if restart:
            tables = (*folder.glob("folds_*.json"), *folder.glob("ablation_*.json"))
            for written in (*(folder / name for name in _FILES), *tables):
                shutil.rmtree(written) if written.is_dir() else written.unlink(missing_ok=True)
        self.config = config or kept_config(folder / "config.yaml")
        for modality in self.config.students:
            if modality not in recipe.modalities:
                raise ConfigError(
                    f"students.{modality}: recipe {recipe.name!r} has no such modality"
                    f"{nearest(modality, recipe.modalities)}"
                )
        if config is not None:
            keep_config(config, recipe, folder / "config.yaml")

    @property
    def seed(self) -> int:
        """Of everything that is drawn in this run."""
        return self.config.seed

    @cached_property
    def teacher(self) -> RunTeacher:
        """The teacher; it uses pictures of the train split only."""
        pictures = [r for r in select(self.recordings("image"), self.recipe, "train") if r.label is not None]
        return RunTeacher(
            self.recipe,
            pictures,
            lambda: self.student("image", "split"),
            self.folder / "teacher",
            self.config,
            self.execution,
        )

    @property
    def centres(self) -> Vectors:
        """The class centres float32 [K, D], unit norm."""
        return self.teacher.centres

    @property
    def space(self) -> Space:
        """The teacher's space, centred on this recipe's classes."""
        return Space(self.teacher.space_id, self.centres.shape[1])

    def make_teacher(self) -> None:
        """Make the teacher: class centres, and the image tower if any term of CAD needs pictures."""
        _ = self.centres
        if self.teacher.has_pictures and self.config.cad.needs_pictures:
            _ = self.teacher.model

    def recordings(self, modality: str) -> list[Recording]:
        """All recordings of a modality; none if it is only simulated."""
        if not any(source.modality == modality for source in self.recipe.sources):
            return []
        return read_recordings(self.recipe, self.root, (modality,))

    def student(self, modality: str, stage: Stage) -> Student:
        """The student of a modality, trained now or read back."""
        recordings = self._selected(self.recordings(modality), stage)
        if modality in self.recipe.from_pictures and self.config.pictures.as_input:
            source = self.recipe.from_pictures[modality]
            pictures = self._selected([r for r in self.recordings("image") if r.source == source], stage)
            recordings += as_modality(pictures, modality, self.seed, self.config.pictures.per_class)
        return self._train(
            modality, recordings, self.folder / stage / modality, lambda peer: self.student(peer, stage)
        )

    def encoder(self, modality: str, stage: Stage) -> EvidenceEncoder:
        """The student of a modality with its evidence head, trained now or read back."""
        student = self.student(modality, stage)
        file = self.folder / stage / modality / "evidence.pt"
        if not file.exists():
            recordings = self._selected(self.recordings(modality), stage)
            recordings += simulated_recordings(self._few_simulated, modality, self.seed + _TRAIN_SEED)
            log.info("training the evidence head of %s", modality)
            head = train_evidence(
                student,
                self.recipe.preprocessor(modality),
                recordings,
                self.recipe.label_names,
                self.centres,
                seed=self.seed,
            )
            save_weights(head, file)
        head = EvidenceHead(self.centres.shape[1])
        load_weights(head, file)
        return EvidenceEncoder(student, head).eval()

    def peer_embeddings(self, peer: str, student: Student, recordings: Sequence[Recording]) -> Vectors:
        """Embeddings of the moments of recordings by the student of another modality, float32 [N, D].

        Args:
            peer: the other modality.
            student: its student.
        """
        shared = of_same_moments(self.recordings(peer), recordings)
        samples = prepare_samples(shared, self.recipe.label_names, self.recipe.preprocessor(peer))
        return peer_embeddings(student, samples, recordings)

    def folds(self, modality: str) -> dict[str, float]:
        """Leave one group out: accuracy on each speaker, writer or session of a student without it."""
        recordings = self.recordings(modality)
        scores = {}
        for group in sorted({r.group for r in recordings if r.group}):
            student = self._without(group, modality)
            left_out = [r for r in recordings if r.group == group]
            preprocessor = self.recipe.preprocessor(modality)
            samples = prepare_samples(left_out, self.recipe.label_names, preprocessor)
            scores[group] = round(accuracy(student, samples, self.centres), 4)
            log.info("%s trained without %s: %.1f %% on it", modality, group, 100 * scores[group])
        (self.folder / f"folds_{modality}.json").write_text(json.dumps(scores, indent=2))
        return scores

    def fusion(self) -> tuple[AdaptiveFusionModel, TemperatureScaling]:
        """Fusion and its temperature scaling, fitted on the dev split now or read back."""
        weights, calibration = self.folder / "fusion.pt", self.folder / "calibration.json"
        modalities = self.recipe.modalities
        if not (weights.exists() and calibration.exists()):
            # The weights and the confidence of answers are fitted on different halves of the dev split.
            pools = {m: self._dev_pool(m) for m in modalities}
            for_weights, for_confidence = halves(pools)
            progress = self.execution.progress
            model = train_fusion(
                for_weights, modalities, self.centres, FusionPlan(), seed=self.seed, progress=progress
            )
            negative = [
                (p.clean[here], p.evidence[here, 0])
                for p in pools.values()
                for here in [p.labels == NEGATIVE]
            ]
            negatives = np.concatenate([e for e, _ in negative]), np.concatenate([s for _, s in negative])
            fitted = fit_temperature_scaling(model, for_confidence, negatives, modalities, self.centres)
            save_weights(model, weights)
            calibration.write_text(fitted.model_dump_json(indent=2))
        model = AdaptiveFusionModel(len(modalities))
        load_weights(model, weights)
        return model.eval(), TemperatureScaling.model_validate_json(calibration.read_text())

    def _dev_pool(self, modality: str) -> Pool:
        recordings = select(self.recordings(modality), self.recipe, "dev")
        recordings += simulated_recordings(self._few_simulated, modality, self.seed + _DEV_SEED)
        return make_pool(
            embedder(self.encoder(modality, "split")),
            self.recipe.preprocessor(modality),
            recordings,
            self.recipe.label_names,
            seed=self.seed,
        )

    def _selected(self, recordings: Sequence[Recording], stage: Stage) -> list[Recording]:
        return select(recordings, self.recipe, "train" if stage == "split" else "all")

    @property
    def _few_simulated(self) -> Recipe:
        """The recipe with so few simulated samples that recordings outweigh them."""
        counts = dict.fromkeys(self.recipe.simulated, _SIMULATED_IN_POOLS)
        return self.recipe.model_copy(update={"simulated": counts})

    def _without(self, group: str, modality: str) -> Student:
        """The student that is trained without a group."""
        others = [r for r in self.recordings(modality) if r.group != group]
        folder = self.folder / "folds" / modality / group
        return self._train(modality, others, folder, partial(self._without, group))

    def _train(
        self, modality: str, recordings: list[Recording], folder: Path, peer: Callable[[str], Student]
    ) -> Student:
        """Train or read back a student.

        Args:
            peer: gives the student of another modality that was trained on the same recordings.
        """
        recipe, config = self.recipe, self.config
        plan, preprocessor = config.plan(plan_of(recipe, modality), modality), recipe.preprocessor(modality)
        shape, dim = preprocessor.input_shape[1:], self.centres.shape[1]
        finished = load_student(folder, shape, dim, plan.student)
        if finished is not None:
            return finished
        recordings = recordings + simulated_recordings(recipe, modality, self.seed + _TRAIN_SEED)
        corrupted = config.corruption.versions if config.corruption.share > 0 else 0
        samples = prepare_samples(
            recordings, recipe.label_names, preprocessor, plan.variants, self.seed, corrupted
        )
        log.info("training %s on %d samples", modality, len(samples))
        cad = TEXTS_ONLY if modality in TEACHER_MODALITIES else config.cad
        targets = self.teacher.targets(samples.recordings, cad)
        if modality in recipe.taught_by:
            by = recipe.taught_by[modality]
            targets = with_peer(targets, self.peer_embeddings(by, peer(by), samples.recordings), cad)
        made_of_pictures = made_of(recipe.from_pictures.get(modality, ""), modality)
        task = StudentTask(
            plan,
            cad,
            subject=modality,
            seed=self.seed,
            precision=config.precision,
            pretraining=Pretraining(frozenset({made_of_pictures}), config.pictures.until),
            corruption=config.corruption,
        )
        return train_student(samples, targets, task, folder, execution=self.execution)
