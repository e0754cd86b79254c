"""Stage 1 of OmniBind: one student per modality learns the teacher's space.

A `StudentTask` describes how, `samples` and `targets` from what; the terms of the loss are in `cad.py`. A
training draws batches by weight, so that small sources and rare classes count, and writes to its folder

    student.pt   the finished weights; a later call reads them back
    last.ckpt    the checkpoint of an unfinished training, from which the same call continues
    log/         the loss and its terms, as CSV (and for TensorBoard, where it is installed)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from omnibind_ros.host.models.student import Student, StudentConfig, embed
from omnibind_ros.host.training.cad import DEFAULT_CAD, Batch, CadConfig, weighted_terms
from omnibind_ros.host.training.config import CorruptionConfig, Precision
from omnibind_ros.host.training.damage import damage
from omnibind_ros.host.training.files import load_weights, save_weights
from omnibind_ros.host.training.fit import (
    CHECKPOINT,
    ONE_DEVICE,
    Execution,
    Optimization,
    Training,
    fit,
    stream_seed,
)
from omnibind_ros.host.training.samples import NEGATIVE, UNLABELLED, Samples
from omnibind_ros.host.training.student_plans import StudentPlan
from omnibind_ros.host.training.targets import Targets

WEIGHTS = "student.pt"

EPOCHS = 10
"""Checkpoints in a training, whatever its length."""

NEGATIVE_SHARE = 0.2
"""Share of the drawn samples that belong to none of the classes, however few recordings show that."""

UNLABELLED_SHARE = 0.3
"""Share of the drawn samples that have no label, however many recordings there are of these."""

NO_CORRUPTION = CorruptionConfig(share=0.0)


@dataclass(frozen=True)
class Pretraining:
    """Sources that are drawn only in the first part of a training.

    Attributes:
        until: length of that part, as a share of the training.
    """

    sources: frozenset[str] = frozenset()
    until: float = 1.0


NO_PRETRAINING = Pretraining()


@dataclass(frozen=True)
class StudentTask:
    """How one student is trained.

    Attributes:
        subject: what is trained, for messages.
        seed: of the initial weights and of everything that is drawn.
        pretraining: which sources are drawn first and then left out.
        corruption: how many of the drawn samples come from failing sensors.
    """

    plan: StudentPlan
    cad: CadConfig = DEFAULT_CAD
    subject: str = "student"
    seed: int = 0
    precision: Precision = "auto"
    pretraining: Pretraining = NO_PRETRAINING
    corruption: CorruptionConfig = NO_CORRUPTION


def train_student(
    samples: Samples,
    targets: Targets,
    task: StudentTask,
    folder: Path,
    *,
    execution: Execution = ONE_DEVICE,
    start: Student | None = None,
) -> Student:
    """Train a student, continue an interrupted training, or read a finished one back.

    Args:
        targets: the teacher's embeddings, one row per sample.
        folder: of this training alone.
        start: student whose weights are the initial ones.

    Returns:
        The student in evaluation mode, on the CPU.

    Raises:
        TrainingError: the loss is not finite, or a file of the folder is damaged.
    """
    L.seed_everything(task.seed, verbose=False)
    student = Student(tuple(samples.inputs.shape[2:]), targets.centres.shape[1], task.plan.student)
    finished = folder / WEIGHTS
    if not finished.exists():
        if start is not None:
            student.load_state_dict(start.state_dict())
        student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        training = StudentTraining(student, samples, targets, task)
        fit(training, EPOCHS, folder=folder, execution=execution)
        student.cpu()
        student.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        save_weights(student, finished)
        (folder / CHECKPOINT).unlink(missing_ok=True)
    load_weights(student, finished)
    return student.eval()


def load_student(
    folder: Path, input_shape: tuple[int, ...], dim: int, config: StudentConfig
) -> Student | None:
    """The finished student of a folder, in evaluation mode; None if there is none.

    Args:
        input_shape: without the batch axis.
        dim: length D of its embeddings.

    Raises:
        TrainingError: the file is damaged or belongs to a student of another shape.
    """
    if not (folder / WEIGHTS).exists():
        return None
    student = Student(input_shape, dim, config)
    load_weights(student, folder / WEIGHTS)
    return student.eval()


def accuracy(student: Student, samples: Samples, centres: NDArray[np.float32]) -> float:
    """Share of the labelled samples whose nearest class centre is their own.

    Args:
        centres: float32 [K, D], unit norm.
    """
    labelled = samples[samples.labels.numpy() >= 0]
    vectors, _ = embed(student, labelled.clean)
    return float(np.mean((vectors.numpy() @ centres.T).argmax(axis=1) == labelled.labels.numpy()))


def draw_weights(samples: Samples, drawn: NDArray[np.bool_] | None = None) -> Tensor:
    """How often each sample is drawn, relative to the others; float64 [N].

    All labels of a source are drawn equally often, and a source in proportion to the square root of its
    size, so that a handful of recordings is not repeated endlessly. Negatives are drawn in `NEGATIVE_SHARE`
    of all cases, samples without a label in `UNLABELLED_SHARE`, where there are any.

    Args:
        drawn: bool [N], which samples are drawn at all. If no sample is marked, all are drawn.
    """
    labels = samples.labels.numpy()
    keys = np.char.add(np.char.add(samples.sources.astype(str), "/"), labels.astype(str))
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    weights = 1.0 / np.sqrt(counts[inverse])
    if drawn is not None and drawn.any():
        weights[~drawn] = 0.0
    for kind, share in ((NEGATIVE, NEGATIVE_SHARE), (UNLABELLED, UNLABELLED_SHARE)):
        rows = labels == kind
        if weights[rows].any() and weights[~rows].any():
            weights[rows] *= share / (1 - share) * weights[~rows].sum() / weights[rows].sum()
    return torch.from_numpy(weights)


class StudentTraining(Training):
    """Batches drawn by weight; the loss of CAD."""

    centres: Tensor
    pictures: Tensor
    picture_labels: Tensor

    def __init__(self, student: Student, samples: Samples, targets: Targets, task: StudentTask) -> None:
        plan = task.plan
        super().__init__(task.subject, Optimization(plan.lr, plan.weight_decay, warm_up=0.15), task.seed)
        self.student, self._task = student, task
        self._samples, self._targets = samples, targets
        self._bf16 = task.precision == "bf16" or (task.precision == "auto" and _has_bf16())
        self.register_buffer("centres", targets.centres)
        self.register_buffer("pictures", targets.pictures)
        self.register_buffer("picture_labels", targets.picture_labels)

    @property
    def draw_weights(self) -> Tensor:
        """How often each sample is drawn in the current epoch, float64 [N]."""
        left_out = (self._samples.labels == UNLABELLED) & ~self._targets.has_own
        pretraining = self._task.pretraining
        if self.current_epoch >= pretraining.until * EPOCHS:
            left_out |= torch.from_numpy(np.isin(self._samples.sources, list(pretraining.sources)))
        return draw_weights(self._samples, ~left_out.numpy())

    def train_dataloader(self) -> DataLoader[Any]:
        plan = self._task.plan
        share = max(1, plan.batch // self.trainer.world_size)
        batches = max(1, plan.samples // EPOCHS // plan.batch)
        return DataLoader(
            DrawnSamples(self._samples, self._targets, self._task.corruption),
            batch_sampler=_WeightedBatches(self, share, batches),
            collate_fn=_as_is,
            # The loader draws a seed for workers it does not have; not from the training's stream.
            generator=torch.Generator(),
        )

    def terms(self, batch: tuple[Tensor, ...]) -> Mapping[str, Tensor]:
        plan, cad = self._task.plan, self._task.cad
        x, labels, taught, own = batch
        if plan.augment is not None:
            x = plan.augment(x)
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)  # a third faster on CPUs with AVX-512
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._bf16):
            z = self.student.point(x)
        drawn = torch.randint(max(1, len(self.pictures)), (min(len(self.pictures), len(x)),), device=x.device)
        return weighted_terms(
            Batch(
                z.float(),
                labels,
                self.centres,
                taught,
                own,
                self.pictures[drawn],
                self.picture_labels[drawn],
                plan.label_smoothing,
                cad.temperature,
            ),
            cad,
        )


class DrawnSamples(Dataset[tuple[Tensor, ...]]):
    """A random version of each sample (augmented, corrupted or damaged) with its targets, batch by batch."""

    def __init__(self, samples: Samples, targets: Targets, corruption: CorruptionConfig) -> None:
        self._samples, self._targets, self._corruption = samples, targets, corruption

    def __len__(self) -> int:
        return len(self._samples)

    def __getitems__(self, index: list[int]) -> tuple[Tensor, ...]:
        rows = torch.tensor(index)
        variants = self._samples.inputs.shape[1]
        x = self._samples.inputs[rows, torch.randint(variants, (len(rows),))].float()
        if self._corruption.share > 0 and x.ndim == 4:
            self._corrupt(x, rows)
        y = self._samples.labels[rows]
        return x, y, *self._targets.of(rows, y)

    def _corrupt(self, x: Tensor, rows: Tensor) -> None:
        corrupted = self._samples.corrupted
        versions = corrupted.shape[1] if corrupted.numel() else 0
        hit = torch.rand(len(rows)) < self._corruption.share
        raw = hit & (torch.rand(len(rows)) >= self._corruption.damaged) & (versions > 0)
        if raw.any():
            x[raw] = corrupted[rows[raw], torch.randint(versions, (int(raw.sum()),))].float()
        damaged = hit & ~raw
        if damaged.any():
            x[damaged] = damage(x[damaged], torch.default_generator)


class _WeightedBatches:
    """Rows of each batch of the current epoch, drawn by weight; each process draws its own."""

    def __init__(self, training: StudentTraining, batch: int, batches: int) -> None:
        self._training, self._batch, self._batches = training, batch, batches

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        training = self._training
        seed = stream_seed(training.seed, training.current_epoch, training.global_rank, 1)
        generator = torch.Generator().manual_seed(seed)
        count = self._batch * self._batches
        rows = torch.multinomial(training.draw_weights, count, True, generator=generator)
        yield from rows.reshape(self._batches, self._batch).tolist()


def _as_is(batch: Any) -> Any:
    return batch


def _has_bf16() -> bool:
    """CPUs emulate bfloat16 where they lack it; GPUs may refuse it."""
    return not torch.cuda.is_available() or torch.cuda.is_bf16_supported()
