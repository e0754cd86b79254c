"""Stage 1: one student a modality learns to land where the teacher would (the terms are in `cad.py`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from omnibind_ros.host.models.student import Student
from omnibind_ros.host.training.cad import DEFAULT_CAD, Batch, CadConfig, weighted_terms
from omnibind_ros.host.training.damage import damage
from omnibind_ros.host.training.fit import (
    CHECKPOINT,
    ONE_DEVICE,
    Machine,
    Training,
    fit,
    has_bf16,
    load_weights,
    save_weights,
    stream,
)
from omnibind_ros.host.training.samples import NEGATIVE, UNLABELLED, Samples
from omnibind_ros.host.training.student_plans import StudentPlan
from omnibind_ros.host.training.targets import Targets

EPOCHS = 10
"""Checkpoints, and logs, are written this often in a training."""

NEGATIVE_SHARE = 0.2
"""How often a sample of none of the classes is drawn: few recordings must teach a whole answer."""

UNLABELLED_SHARE = 0.3
"""How often a sample without a label is drawn, however many there are."""

Precision = Literal["auto", "bf16", "fp32"]


@dataclass(frozen=True)
class Corruption:
    """How much of what a student learns from comes from sensors that fail.

    Attributes:
        share: of the samples drawn.
        damaged: of these, how many are damaged as model inputs (`training.damage`) rather than corrupted on
            the raw level (`Samples.corrupted`).
    """

    share: float = 0.0
    damaged: float = 0.5


NO_CORRUPTION = Corruption()


class Variants(Dataset[tuple[Tensor, ...]]):
    """Draws a random variant of each sample, a batch at a time."""

    def __init__(self, samples: Samples, targets: Targets, corruption: Corruption) -> None:
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
        broken = self._samples.corrupted
        kept = broken.shape[1] if broken.numel() else 0
        hit = torch.rand(len(rows)) < self._corruption.share
        outside = hit & (torch.rand(len(rows)) >= self._corruption.damaged) & (kept > 0)
        if outside.any():
            x[outside] = broken[rows[outside], torch.randint(kept, (int(outside.sum()),))].float()
        inside = hit & ~outside
        if inside.any():
            x[inside] = damage(x[inside], torch.default_generator)


class _EvenBatches:
    """Rows of each batch of the epoch that is going on, drawn by weight; each process draws its own."""

    def __init__(self, training: StudentTraining, batch: int, batches: int) -> None:
        self._training, self._batch, self._batches = training, batch, batches

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[list[int]]:
        who = self._training
        generator = torch.Generator().manual_seed(stream(who.seed, who.current_epoch, who.global_rank, 1))
        rows = torch.multinomial(who.weights, self._batch * self._batches, True, generator=generator)
        yield from rows.reshape(self._batches, self._batch).tolist()


@dataclass(frozen=True)
class Pretraining:
    """Sources that only the first part of a training draws from.

    Attributes:
        until: share of the training.
    """

    sources: frozenset[str] = frozenset()
    until: float = 1.0


NO_PRETRAINING = Pretraining()


class StudentTraining(Training):
    """The body of the loop; Lightning does the rest."""

    centres: Tensor
    pictures: Tensor
    picture_labels: Tensor

    def __init__(
        self,
        student: Student,
        samples: Samples,
        targets: Targets,
        plan: StudentPlan,
        cad: CadConfig,
        *,
        subject: str,
        seed: int,
        precision: Precision = "auto",
        pretraining: Pretraining,
        corruption: Corruption,
    ) -> None:
        super().__init__(subject, seed, plan.lr, plan.weight_decay)
        self.student, self.plan, self.cad = student, plan, cad
        self._samples, self._targets, self._pretraining = samples, targets, pretraining
        self._corruption = corruption
        self._bf16 = precision == "bf16" or (precision == "auto" and has_bf16())
        self.register_buffer("centres", targets.centres)
        self.register_buffer("pictures", targets.pictures)
        self.register_buffer("picture_labels", targets.picture_labels)

    @property
    def weights(self) -> Tensor:
        """How often each sample is drawn in this epoch, float64 [N]."""
        mute = (self._samples.labels == UNLABELLED) & ~self._targets.has_own
        left = self.current_epoch >= self._pretraining.until * EPOCHS
        if left:
            mute |= torch.from_numpy(np.isin(self._samples.sources, list(self._pretraining.sources)))
        return even_weights(self._samples, ~mute.numpy())

    def train_dataloader(self) -> DataLoader[Any]:
        share = max(1, self.plan.batch // self.trainer.world_size)
        batches = max(1, self.plan.samples // EPOCHS // self.plan.batch)
        return DataLoader(
            Variants(self._samples, self._targets, self._corruption),
            batch_sampler=_EvenBatches(self, share, batches),
            collate_fn=_as_it_is,
            # The loader draws a number for workers that it has not; not from the stream of the training.
            generator=torch.Generator(),
        )

    def terms(self, batch: tuple[Tensor, ...]) -> Mapping[str, Tensor]:
        x, labels, taught, own = batch
        if self.plan.augment is not None:
            x = self.plan.augment(x)
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
                self.plan.label_smoothing,
                self.cad.temperature,
            ),
            self.cad,
        )


def train_student(
    samples: Samples,
    targets: Targets,
    plan: StudentPlan,
    *,
    run: Path,
    cad: CadConfig = DEFAULT_CAD,
    subject: str = "student",
    seed: int = 0,
    precision: Precision = "auto",
    machine: Machine = ONE_DEVICE,
    start: Student | None = None,
    pretraining: Pretraining = NO_PRETRAINING,
    corruption: Corruption = NO_CORRUPTION,
) -> Student:
    """Train a student on `samples`; resumes from `run/last.ckpt` if an earlier attempt was interrupted.

    Classes and sources are sampled evenly, whatever their sizes.

    Args:
        targets: the teacher's, one row a sample.
        run: folder of this training.
        subject: what is trained, for messages.
        start: begin with its weights.
        pretraining: sources to begin with, and to leave later.
        corruption: how often a sensor that fails is seen.

    Returns:
        The student, in evaluation mode. Finished runs are read back from `run/student.pt`.

    Raises:
        TrainingError: the loss is no number.
    """
    L.seed_everything(seed, verbose=False)
    student = Student(tuple(samples.inputs.shape[2:]), targets.centres.shape[1], plan.student)
    finished = run / "student.pt"
    if not finished.exists():
        if start is not None:
            student.load_state_dict(start.state_dict())
        student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        fit(
            StudentTraining(
                student,
                samples,
                targets,
                plan,
                cad,
                subject=subject,
                seed=seed,
                precision=precision,
                pretraining=pretraining,
                corruption=corruption,
            ),
            run,
            EPOCHS,
            machine,
        )
        student.cpu()
        student.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        save_weights(student, finished)
        (run / CHECKPOINT).unlink(missing_ok=True)
    load_weights(student, finished)
    return student.eval()


def _as_it_is(batch: Any) -> Any:
    return batch


def even_weights(samples: Samples, drawn: NDArray[np.bool_] | None = None) -> Tensor:
    """Every label of every source is drawn as often as any other (the unequal scales of real data).

    A source's share grows with the square root of its size, so that a handful of recordings is not repeated
    endlessly. Negatives are drawn in `NEGATIVE_SHARE` of all cases, samples without a label in
    `UNLABELLED_SHARE`, where there are any.

    Args:
        drawn: bool [N], samples that are drawn at all; all are if none is.
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


@torch.no_grad()
def embed(student: Student, inputs: Tensor, batch: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings float32 [N,D] and evidence [N] of model inputs [N,*shape]."""
    outputs = [student(inputs[i : i + batch].float()) for i in range(0, len(inputs), batch)]
    return torch.cat([e for e, _ in outputs]).numpy(), torch.cat([s for _, s in outputs])[:, 0].numpy()


def accuracy(student: Student, samples: Samples, anchors: np.ndarray) -> float:
    """Share of the samples with a label that land nearest to their own centre."""
    known = samples[samples.labels.numpy() >= 0]
    vectors, _ = embed(student, known.clean)
    return float(np.mean((vectors @ anchors.T).argmax(axis=1) == known.labels.numpy()))
