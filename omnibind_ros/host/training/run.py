"""A training run: one folder, every step kept, so that an interrupted run goes on where it stopped.

    config        what the numbers depend on                         RUN/config.yaml
    teacher       class centres; an image tower where needed         RUN/anchors.npz, RUN/teacher/
    students      one per modality, trained on the train split       RUN/split/<modality>/student.pt
    evidence      how sure each may be, on the same recordings        RUN/split/<modality>/evidence.pt
    fusion        trained and calibrated on the dev split             RUN/fusion.pt, RUN/calibration.json
    evaluation    of the two on the test split, every subset          RUN/evaluation.json
    final         students trained on all recordings, for shipping    RUN/final/<modality>/student.pt

Fusion sees nothing of an embedding but how it lies among the class centres and its evidence, so the one
trained beside the split students serves the final ones as well.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.temperature_scaling import TemperatureScaling
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.from_pictures import as_modality, made_of
from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import Recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.simulated import simulated_recordings
from omnibind_ros.host.data.splits import select
from omnibind_ros.host.evaluation.evaluation import evaluate
from omnibind_ros.host.evaluation.pools import Pool, halves, make_pool
from omnibind_ros.host.export.bundle_writer import TrainedEncoder, write_bundle
from omnibind_ros.host.models.adaptive_fusion import AdaptiveFusionModel
from omnibind_ros.host.models.evidence import EvidenceHead, SureEncoder
from omnibind_ros.host.models.student import Student
from omnibind_ros.host.models.teachers import Anchors
from omnibind_ros.host.models.teachers.teacher import Vectors
from omnibind_ros.host.training.config import TrainingConfig, keep, kept
from omnibind_ros.host.training.evidence import embedder, train_evidence
from omnibind_ros.host.training.fit import ONE_DEVICE, Machine, load_weights, save_weights
from omnibind_ros.host.training.partners import of_same_moments, seen_by
from omnibind_ros.host.training.samples import NEGATIVE, prepare_samples
from omnibind_ros.host.training.stage1 import Corruption, Pretraining, accuracy, train_student
from omnibind_ros.host.training.stage2 import FusionPlan, calibrate, train_fusion
from omnibind_ros.host.training.student_plans import plan_of
from omnibind_ros.host.training.targets import with_partner
from omnibind_ros.host.training.teaching import TEXTS_ONLY, Teaching
from omnibind_ros.names import nearest
from omnibind_ros.types import Space

log = logging.getLogger(__name__)

_DEV_SEED, _TRAIN_SEED = 1, 0
UNTAUGHT = ("image", "text")
"""Modalities of the teacher itself: their students learn from the words alone."""

_SIMULATED_IN_POOLS = 25
"""Simulated samples a class and modality that join the recordings in fusion training."""


_STEPS = (
    "config.yaml", "anchors.npz", "teacher", "split", "final", "folds", "fusion.pt", "calibration.json",
    "evaluation.json", "split-bundle",
)  # fmt: skip
"""What a run writes, and what starting it anew removes."""


class TrainingRun:
    """All steps of one recipe on one folder of recordings.

    Args:
        recipe: what to train.
        root: folder of the recordings.
        folder: where the run is kept.
        config: how; None takes that of an earlier start of the run.
        machine: with what.
        restart: forget what an earlier start of the run left.

    Raises:
        ConfigError: the run was begun with another config or recipe, and is not to be restarted.
    """

    def __init__(
        self,
        recipe: Recipe,
        root: Path,
        folder: Path,
        config: TrainingConfig | None = None,
        *,
        machine: Machine = ONE_DEVICE,
        restart: bool = False,
    ) -> None:
        self.recipe, self.root, self.folder, self.machine = recipe, root, folder, machine
        folder.mkdir(parents=True, exist_ok=True)
        if restart:
            tables = (*folder.glob("folds_*.json"), *folder.glob("ablation_*.json"))
            for written in (*(folder / step for step in _STEPS), *tables):
                shutil.rmtree(written) if written.is_dir() else written.unlink(missing_ok=True)
        self.config = config or kept(folder / "config.yaml")
        for modality in self.config.students:
            if modality not in recipe.modalities:
                raise ConfigError(
                    f"students.{modality}: recipe {recipe.name!r} has no such modality"
                    f"{nearest(modality, recipe.modalities)}"
                )
        if config is not None:
            keep(config, recipe, folder / "config.yaml")

    @property
    def seed(self) -> int:
        """Same seed, same numbers."""
        return self.config.seed

    @cached_property
    def teaching(self) -> Teaching:
        """The teacher; it knows pictures of the train split only."""
        pictures = [r for r in select(self.recordings("image"), self.recipe, "train") if r.label is not None]
        return Teaching(
            self.recipe,
            pictures,
            lambda: self.student("image", "split"),
            self.folder / "teacher",
            self.config,
            self.machine,
        )

    @property
    def space(self) -> Space:
        """The teacher's space, centred on this recipe's classes."""
        return Space(self.teaching.space_id, self.anchors.centres.shape[1])

    @property
    def anchors(self) -> Anchors:
        """The class centres."""
        return self.teaching.anchors

    def teach(self) -> None:
        """The teacher ready: class centres, and its image tower if any term asks about pictures."""
        _ = self.teaching.anchors
        if self.teaching.has_pictures and self.config.cad.asks_about_pictures:
            _ = self.teaching.teacher

    def recordings(self, modality: str) -> list[Recording]:
        """All recordings of a modality; none for one that is only simulated."""
        if not any(source.modality == modality for source in self.recipe.sources):
            return []
        return read_recordings(self.recipe, self.root, (modality,))

    def student(self, modality: str, stage: str) -> Student:
        """The student of a modality, trained now or read back.

        Args:
            stage: `split` (train split only) or `final` (all recordings).
        """
        split: Literal["train", "all"] = "train" if stage == "split" else "all"
        recordings = select(self.recordings(modality), self.recipe, split)
        if modality in self.recipe.from_pictures and self.config.pictures.as_input:
            pictures = [
                r for r in self.recordings("image") if r.source == self.recipe.from_pictures[modality]
            ]
            recordings += as_modality(
                select(pictures, self.recipe, split), modality, self.seed, self.config.pictures.per_class
            )
        return self._train(
            modality, recordings, self.folder / stage / modality, lambda partner: self.student(partner, stage)
        )

    def encoder(self, modality: str, stage: str) -> SureEncoder:
        """The student of a modality with its evidence head, trained now or read back."""
        student, dim = self.student(modality, stage), self.anchors.centres.shape[1]
        file = self.folder / stage / modality / "evidence.pt"
        if not file.exists():
            split: Literal["train", "all"] = "train" if stage == "split" else "all"
            recordings = select(self.recordings(modality), self.recipe, split)
            recordings = recordings + simulated_recordings(self._few, modality, self.seed + _TRAIN_SEED)
            log.info("evidence of %s", modality)
            head = train_evidence(
                student,
                self.recipe.adaptor(modality),
                recordings,
                self.recipe.label_names,
                self.anchors.centres,
                seed=self.seed,
            )
            save_weights(head, file)
        head = EvidenceHead(dim)
        load_weights(head, file)
        return SureEncoder(student, head).eval()

    @property
    def _few(self) -> Recipe:
        """The recipe with a few simulated samples only, where recordings shall have the say."""
        counts = dict.fromkeys(self.recipe.simulated, _SIMULATED_IN_POOLS)
        return self.recipe.model_copy(update={"simulated": counts})

    def _train(
        self,
        modality: str,
        recordings: list[Recording],
        folder: Path,
        partner: Callable[[str], Student],
    ) -> Student:
        """Train or read back a student; `partner` makes that of another modality on the same recordings."""
        plan = self.config.plan(plan_of(self.recipe, modality), modality)
        if (folder / "student.pt").exists():
            shape = self.recipe.adaptor(modality).input_shape[1:]
            student = Student(shape, self.anchors.centres.shape[1], plan.student)
            load_weights(student, folder / "student.pt")
            return student.eval()
        recordings = recordings + simulated_recordings(self.recipe, modality, self.seed + _TRAIN_SEED)
        share = self.config.corruption.share
        samples = prepare_samples(
            recordings,
            self.recipe.label_names,
            self.recipe.adaptor(modality),
            plan.variants,
            self.seed,
            self.config.corruption.versions if share > 0 else 0,
        )
        log.info("training %s on %d samples", modality, len(samples))
        cad = TEXTS_ONLY if modality in UNTAUGHT else self.config.cad
        targets = self.teaching.targets(samples.recordings, cad)
        if modality in self.recipe.taught_by:
            by = self.recipe.taught_by[modality]
            targets = with_partner(targets, self.seen_by(by, partner(by), samples.recordings), cad)
        return train_student(
            samples,
            targets,
            plan,
            run=folder,
            cad=cad,
            subject=modality,
            seed=self.seed,
            precision=self.config.precision,
            machine=self.machine,
            pretraining=Pretraining(
                frozenset({made_of(self.recipe.from_pictures.get(modality, ""), modality)}),
                self.config.pictures.until,
            ),
            corruption=Corruption(share, self.config.corruption.damaged),
        )

    def seen_by(self, partner: str, student: Student, recordings: Sequence[Recording]) -> Vectors:
        """What the student of another modality makes of the moments of recordings; see `partners.seen_by`."""
        shared = of_same_moments(self.recordings(partner), recordings)
        samples = prepare_samples(shared, self.recipe.label_names, self.recipe.adaptor(partner))
        return seen_by(student, samples, recordings)

    def _without(self, group: str, modality: str) -> Student:
        """The student that never met a group."""
        others = [r for r in self.recordings(modality) if r.group != group]
        folder = self.folder / "folds" / modality / group
        return self._train(modality, others, folder, partial(self._without, group))

    def folds(self, modality: str) -> dict[str, float]:
        """Leave one group out: accuracy on each speaker, writer or session of a student that never met it."""
        recordings = self.recordings(modality)
        scores = {}
        for group in sorted({r.group for r in recordings if r.group}):
            student = self._without(group, modality)
            left_out = [r for r in recordings if r.group == group]
            samples = prepare_samples(left_out, self.recipe.label_names, self.recipe.adaptor(modality))
            scores[group] = round(accuracy(student, samples, self.anchors.centres), 4)
            log.info("%s without %s: %.1f %% on it", modality, group, 100 * scores[group])
        (self.folder / f"folds_{modality}.json").write_text(json.dumps(scores, indent=2))
        return scores

    def fusion(self) -> tuple[AdaptiveFusionModel, TemperatureScaling]:
        """The fusion module and its calibration, trained on the dev split now or read back."""
        weights, calibration = self.folder / "fusion.pt", self.folder / "calibration.json"
        modalities = self.recipe.modalities
        if not (weights.exists() and calibration.exists()):
            # Whom to believe and how surely are two questions: two halves of what is held back answer them.
            pools = {m: self._dev_pool(m) for m in modalities}
            believe, judge = halves(pools)
            model = train_fusion(
                believe,
                modalities,
                self.anchors.centres,
                FusionPlan(),
                seed=self.seed,
                progress=self.machine.progress,
            )
            negatives = np.concatenate([p.clean[p.labels == NEGATIVE] for p in pools.values()])
            made = calibrate(model, judge, negatives, modalities, self.anchors.centres)
            save_weights(model, weights)
            calibration.write_text(made.model_dump_json(indent=2))
        model = AdaptiveFusionModel(len(modalities))
        load_weights(model, weights)
        return model.eval(), TemperatureScaling.model_validate_json(calibration.read_text())

    def _dev_pool(self, modality: str) -> Pool:
        recordings = select(self.recordings(modality), self.recipe, "dev")
        recordings = recordings + simulated_recordings(self._few, modality, self.seed + _DEV_SEED)
        return make_pool(
            embedder(self.encoder(modality, "split")),
            self.recipe.adaptor(modality),
            recordings,
            self.recipe.label_names,
            seed=self.seed,
        )

    def evaluation(self) -> dict[str, Any]:
        """Split students and fusion on the test split, as `omnibind evaluate --json` gives it."""
        file = self.folder / "evaluation.json"
        if not file.exists():
            bundle = self.export(self.folder / "split-bundle", "split", metrics={})
            recordings = [r for m in self.recipe.modalities for r in self.recordings(m)]
            test, dev = (select(recordings, self.recipe, split) for split in ("test", "dev"))
            scores = evaluate(bundle, self.recipe, test, learn_from=dev, seed=self.seed)
            file.write_text(json.dumps(scores.to_json(), indent=2))
        result: dict[str, Any] = json.loads(file.read_text())
        return result

    def export(self, folder: Path, stage: str, metrics: dict[str, Any]) -> Bundle:
        """Write a bundle of the students of `stage`.

        Args:
            metrics: an evaluation as `evaluation` returns it, for the manifest.
        """
        fusion, calibration = self.fusion()
        alone = metrics.get("modalities", {})
        encoders = {
            m: TrainedEncoder(self.encoder(m, stage), self.recipe.adaptor(m), alone.get(m, {}))
            for m in self.recipe.modalities
        }
        return write_bundle(
            folder,
            self.recipe,
            self.space,
            encoders,
            fusion,
            self.anchors.centres,
            calibration,
            max_sensors=FusionPlan().max_sensors,
            trained_on="all" if stage == "final" else "train",
            metrics=_summary(metrics),
        )


def _summary(metrics: dict[str, Any]) -> dict[str, Any]:
    """Mean accuracy of the subsets of each size: what fits a manifest."""
    if not metrics:
        return {}
    sizes: dict[int, list[float]] = {}
    for subset in metrics["subsets"]:
        sizes.setdefault(len(subset["modalities"]), []).append(subset["accuracy"])
    by_size = {str(size): round(float(np.mean(scores)), 4) for size, scores in sorted(sizes.items())}
    return {"test_accuracy_by_number_of_modalities": by_size, "test_sources": metrics["sources"]}
