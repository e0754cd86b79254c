"""A training run: one folder, every step kept, so that an interrupted run goes on where it stopped.

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
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from omnibind_ros.core.space import Space
from omnibind_ros.data.from_pictures import as_modality
from omnibind_ros.data.readers import read_recordings
from omnibind_ros.data.recipe import Recipe
from omnibind_ros.data.recording import Recording
from omnibind_ros.data.simulated import simulated_recordings
from omnibind_ros.data.splits import select
from omnibind_ros.export.bundle_writer import TrainedEncoder, write_bundle
from omnibind_ros.fusion.calibration import Calibration
from omnibind_ros.inference.bundle import Bundle
from omnibind_ros.models.adaptive_fusion import AdaptiveFusionModel
from omnibind_ros.models.evidence import EvidenceHead, SureEncoder
from omnibind_ros.models.student import Student
from omnibind_ros.models.teachers import Anchors, MiniLMTeacher, make_anchors
from omnibind_ros.sensors.adaptor import make_adaptor
from omnibind_ros.training.evaluation import evaluate
from omnibind_ros.training.evidence import embedder, train_evidence
from omnibind_ros.training.pools import Pool, make_pool
from omnibind_ros.training.samples import NEGATIVE, prepare_samples
from omnibind_ros.training.stage1 import accuracy, train_student
from omnibind_ros.training.stage2 import FusionPlan, calibrate, train_fusion
from omnibind_ros.training.student_plans import PLANS

log = logging.getLogger(__name__)

_DEV_SEED, _TRAIN_SEED = 1, 0
_SIMULATED_IN_POOLS = 25
"""Simulated samples a class and modality that join the recordings in fusion training."""


class TrainingRun:
    """All steps of one recipe on one folder of recordings.

    Args:
        recipe: what to train.
        root: folder of the recordings.
        folder: where the run is kept.
        seed: same seed, same numbers.
        progress: show progress bars.
    """

    def __init__(
        self, recipe: Recipe, root: Path, folder: Path, *, seed: int = 0, progress: bool = True
    ) -> None:
        self.recipe, self.root, self.folder, self.seed, self.progress = recipe, root, folder, seed, progress
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def space(self) -> Space:
        """The teacher's space, centred on this recipe's classes."""
        return Space(f"{MiniLMTeacher.id}/{self.recipe.name}/1", self.anchors.centres.shape[1])

    @cached_property
    def anchors(self) -> Anchors:
        """The class centres, from the teacher or from an earlier start of this run."""
        file = self.folder / "anchors.npz"
        if not file.exists():
            made = make_anchors(
                MiniLMTeacher(), [self.recipe.described(label) for label in self.recipe.labels]
            )
            np.savez(file, centres=made.centres, origin=made.origin)
        with np.load(file) as kept:
            return Anchors(kept["centres"], kept["origin"])

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
        if modality in self.recipe.from_pictures:
            pictures = [
                r for r in self.recordings("image") if r.source == self.recipe.from_pictures[modality]
            ]
            recordings += as_modality(select(pictures, self.recipe, split), modality, self.seed)
        return self._train(modality, recordings, self.folder / stage / modality)

    def encoder(self, modality: str, stage: str) -> SureEncoder:
        """The student of a modality with its evidence head, trained now or read back."""
        student, dim = self.student(modality, stage), self.anchors.centres.shape[1]
        file = self.folder / stage / modality / "evidence.pt"
        if not file.exists():
            split: Literal["train", "all"] = "train" if stage == "split" else "all"
            recordings = select(self.recordings(modality), self.recipe, split)
            few = self.recipe.model_copy(update={"simulated": {modality: _SIMULATED_IN_POOLS}})
            recordings = recordings + simulated_recordings(few, modality, self.seed + _TRAIN_SEED)
            log.info("evidence of %s", modality)
            head = train_evidence(
                student,
                make_adaptor(modality),
                recordings,
                self.recipe.label_names,
                self.anchors.centres,
                seed=self.seed,
            )
            torch.save(head.state_dict(), file)
        head = EvidenceHead(dim)
        head.load_state_dict(torch.load(file, weights_only=True))
        return SureEncoder(student, head).eval()

    def _train(self, modality: str, recordings: list[Recording], folder: Path) -> Student:
        plan = PLANS[modality]
        if (folder / "student.pt").exists():
            shape = make_adaptor(modality).input_shape[1:]
            student = Student(shape, self.anchors.centres.shape[1], plan.student)
            student.load_state_dict(torch.load(folder / "student.pt", weights_only=True))
            return student.eval()
        recordings = recordings + simulated_recordings(self.recipe, modality, self.seed + _TRAIN_SEED)
        samples = prepare_samples(
            recordings, self.recipe.label_names, make_adaptor(modality), plan.variants, self.seed
        )
        log.info("training %s on %d samples", modality, len(samples))
        return train_student(
            samples, self.anchors.centres, plan, run=folder, seed=self.seed, progress=self.progress
        )

    def folds(self, modality: str) -> dict[str, float]:
        """Leave one group out: accuracy on each speaker, writer or session of a student that never met it."""
        recordings = self.recordings(modality)
        scores = {}
        for group in sorted({r.group for r in recordings if r.group}):
            others = [r for r in recordings if r.group != group]
            student = self._train(modality, others, self.folder / "folds" / modality / group)
            left_out = [r for r in recordings if r.group == group]
            samples = prepare_samples(left_out, self.recipe.label_names, make_adaptor(modality))
            scores[group] = round(accuracy(student, samples, self.anchors.centres), 4)
            log.info("%s without %s: %.1f %% on it", modality, group, 100 * scores[group])
        (self.folder / f"folds_{modality}.json").write_text(json.dumps(scores, indent=2))
        return scores

    def fusion(self) -> tuple[AdaptiveFusionModel, Calibration]:
        """The fusion module and its calibration, trained on the dev split now or read back."""
        weights, calibration = self.folder / "fusion.pt", self.folder / "calibration.json"
        modalities = self.recipe.modalities
        if not (weights.exists() and calibration.exists()):
            # Whom to believe and how surely are two questions: two halves of what is held back answer them.
            pools = {m: self._dev_pool(m) for m in modalities}
            believe, judge = ({m: _part(p, odd) for m, p in pools.items()} for odd in (0, 1))
            model = train_fusion(
                believe,
                modalities,
                self.anchors.centres,
                FusionPlan(),
                seed=self.seed,
                progress=self.progress,
            )
            negatives = np.concatenate([p.clean[p.labels == NEGATIVE] for p in pools.values()])
            made = calibrate(model, judge, negatives, modalities, self.anchors.centres)
            torch.save(model.state_dict(), weights)
            calibration.write_text(json.dumps(asdict(made), indent=2))
        model = AdaptiveFusionModel(len(modalities))
        model.load_state_dict(torch.load(weights, weights_only=True))
        kept = json.loads(calibration.read_text())
        return model.eval(), Calibration(tuple(kept["scale_by_count"]), kept["unknown_threshold"])

    def _dev_pool(self, modality: str) -> Pool:
        recordings = select(self.recordings(modality), self.recipe, "dev")
        few = self.recipe.model_copy(update={"simulated": {modality: _SIMULATED_IN_POOLS}})
        recordings = recordings + simulated_recordings(few, modality, self.seed + _DEV_SEED)
        return make_pool(
            embedder(self.encoder(modality, "split")),
            make_adaptor(modality),
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
            m: TrainedEncoder(self.encoder(m, stage), make_adaptor(m), alone.get(m, {}))
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


def _part(pool: Pool, odd: int) -> Pool:
    rows = np.flatnonzero((np.arange(len(pool.labels)) % 2 == odd) & (pool.labels != NEGATIVE))
    return Pool(**{name: values[rows] for name, values in vars(pool).items()})


def _summary(metrics: dict[str, Any]) -> dict[str, Any]:
    """Mean accuracy of the subsets of each size: what fits a manifest."""
    if not metrics:
        return {}
    sizes: dict[int, list[float]] = {}
    for subset in metrics["subsets"]:
        sizes.setdefault(len(subset["modalities"]), []).append(subset["accuracy"])
    by_size = {str(size): round(float(np.mean(scores)), 4) for size, scores in sorted(sizes.items())}
    return {"test_accuracy_by_number_of_modalities": by_size, "test_sources": metrics["sources"]}
