"""Stage 1: one student a modality learns to land on the text centres of what it perceives.

For a sample of class y with unnormalised embedding z and unit class centres a_k:

    alignment    cross-entropy of softmax_k(z . a_k) against y; the length of z becomes the evidence
    closeness    1 - cos(z, a_y): the embedding is the class's meaning, not merely nearest to it
    negatives    a sample of none of the classes belongs to no centre: sum_k cos(z, a_k)^2 and z . a_k -> 0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

from omnibind_ros.models.student import Student
from omnibind_ros.training.samples import NEGATIVE, Samples
from omnibind_ros.training.student_plans import StudentPlan

CLOSENESS = 0.5
"""Weight of the closeness term."""

NEGATIVE_SHARE = 0.2
"""How often a sample of none of the classes is drawn: few recordings must teach a whole answer."""


class _Variants(Dataset[tuple[Tensor, Tensor]]):
    """Draws a random variant of each sample, a batch at a time."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitems__(self, index: list[int]) -> tuple[Tensor, Tensor]:
        rows = torch.tensor(index)
        variants = self._samples.inputs.shape[1]
        return self._samples.inputs[
            rows, torch.randint(variants, (len(rows),))
        ].float(), self._samples.labels[rows]


class StudentTraining(L.LightningModule):
    """The loop's body; Lightning does the rest."""

    anchors: Tensor

    def __init__(self, student: Student, anchors: np.ndarray, plan: StudentPlan) -> None:
        super().__init__()
        self.student, self.plan = student, plan
        self.register_buffer("anchors", torch.from_numpy(anchors))

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        x, y = batch
        if self.plan.augment is not None:
            x = self.plan.augment(x)
        if x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)  # a third faster on CPUs with AVX-512
        with torch.autocast(x.device.type, torch.bfloat16):
            z = self.student.point(x)
        loss = stage1_loss(z.float(), y, self.anchors, self.plan.label_smoothing)
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        decay = [p for p in self.student.parameters() if p.ndim > 1]
        rest = [p for p in self.student.parameters() if p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [
                {"params": decay, "weight_decay": self.plan.weight_decay},
                {"params": rest, "weight_decay": 0.0},
            ],
            lr=self.plan.lr,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.plan.lr, total_steps=steps, pct_start=0.15
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def stage1_loss(z: Tensor, y: Tensor, anchors: Tensor, label_smoothing: float) -> Tensor:
    """The three terms above for z [B,D], y [B] (`NEGATIVE` = none), anchors [K,D]."""
    logits = z @ anchors.T
    cosines = F.normalize(z, dim=1) @ anchors.T
    positive = y != NEGATIVE
    loss = z.new_zeros(())
    if positive.any():
        target = y[positive]
        alignment = F.cross_entropy(logits[positive], target, label_smoothing=label_smoothing)
        closeness = (1 - cosines[positive].gather(1, target[:, None])).mean()
        loss = loss + (alignment + CLOSENESS * closeness) * positive.float().mean()
    if not positive.all():
        away = cosines[~positive].square().sum(dim=1).mean()
        uniform = logits[~positive].square().mean()
        loss = loss + (away + 0.1 * uniform) * (~positive).float().mean()
    return loss


def train_student(
    samples: Samples,
    anchors: np.ndarray,
    plan: StudentPlan,
    *,
    run: Path,
    seed: int = 0,
    progress: bool = True,
) -> Student:
    """Train a student on `samples`; resumes from `run/last.ckpt` if an earlier attempt was interrupted.

    Classes and sources are sampled evenly, whatever their sizes.

    Returns:
        The student, in evaluation mode. Finished runs are read back from `run/student.pt`.
    """
    L.seed_everything(seed, verbose=False)
    student = Student(tuple(samples.inputs.shape[2:]), anchors.shape[1], plan.student)
    finished = run / "student.pt"
    if finished.exists():
        student.load_state_dict(torch.load(finished, weights_only=True))
        return student.eval()
    run.mkdir(parents=True, exist_ok=True)
    epochs = 10
    sampler = WeightedRandomSampler(_even_weights(samples), plan.samples // epochs)
    loader: DataLoader[Any] = DataLoader(
        _Variants(samples), plan.batch, sampler=sampler, collate_fn=lambda batch: batch, drop_last=True
    )
    trainer = L.Trainer(
        max_epochs=epochs,
        accelerator="auto",
        devices=1,
        logger=False,
        enable_progress_bar=progress,
        enable_model_summary=False,
        gradient_clip_val=1.0,
        callbacks=[ModelCheckpoint(run, filename="last", save_last=False, enable_version_counter=False)]
        + ([RichProgressBar()] if progress else []),
    )
    checkpoint = run / "last.ckpt"
    student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trainer.fit(
        StudentTraining(student, anchors, plan),
        loader,
        ckpt_path=checkpoint if checkpoint.exists() else None,
        weights_only=False,
    )
    student.cpu()
    student.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    torch.save(student.state_dict(), finished)
    checkpoint.unlink(missing_ok=True)
    return student.eval()


def _even_weights(samples: Samples) -> list[float]:
    """Every label of every source is drawn as often as any other (the unequal scales of real data).

    A source's share grows with the square root of its size, so that a handful of recordings is not repeated
    endlessly. Negatives, where there are any, are drawn in `NEGATIVE_SHARE` of all cases.
    """
    keys = np.char.add(np.char.add(samples.sources.astype(str), "/"), samples.labels.numpy().astype(str))
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    weights = 1.0 / np.sqrt(counts[inverse])
    negative = samples.labels.numpy() == NEGATIVE
    if negative.any() and not negative.all():
        odds = NEGATIVE_SHARE / (1 - NEGATIVE_SHARE)
        weights[negative] *= odds * weights[~negative].sum() / weights[negative].sum()
    return [float(weight) for weight in weights]


@torch.no_grad()
def embed(student: Student, inputs: Tensor, batch: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings float32 [N,D] and evidence [N] of model inputs [N,*shape]."""
    outputs = [student(inputs[i : i + batch].float()) for i in range(0, len(inputs), batch)]
    return torch.cat([e for e, _ in outputs]).numpy(), torch.cat([s for _, s in outputs])[:, 0].numpy()


def accuracy(student: Student, samples: Samples, anchors: np.ndarray) -> float:
    """Share of the samples with a label that land nearest to their own centre."""
    known = samples[samples.labels.numpy() != NEGATIVE]
    vectors, _ = embed(student, known.clean)
    return float(np.mean((vectors @ anchors.T).argmax(axis=1) == known.labels.numpy()))
