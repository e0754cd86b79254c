"""Second half of stage 2: fusion learns whom to believe, on random sets of sensors of which some are bad.

The encoders are frozen, and say already how sure they are (`training.evidence`). Loss: cross-entropy of
softmax(scale cos(fused, a_k)), with one learned scale that only training uses (the robot's scales are
calibrated afterwards, one per number of live sensors), and what a modality differs from the generic token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from omnibind_ros.bundle.temperature_scaling import TemperatureScaling
from omnibind_ros.host.evaluation.calibration_fit import fit_scale, fit_unknown_threshold
from omnibind_ros.host.evaluation.episodes import Episodes, draw_episodes
from omnibind_ros.host.evaluation.pools import Pool
from omnibind_ros.host.models.adaptive_fusion import AdaptiveFusionModel

_SHRINK = 0.03
"""A modality differs from the generic token only as far as the recordings insist."""


@dataclass(frozen=True)
class FusionPlan:
    """How fusion is trained."""

    episodes: int = 15_000
    epochs: int = 6
    batch: int = 256
    lr: float = 1e-2
    max_sensors: int = 16
    most_in_training: int = 7


class FusionTraining(L.LightningModule):
    """The loop's body."""

    centres: Tensor

    def __init__(self, model: AdaptiveFusionModel, centres: NDArray[np.float32], lr: float) -> None:
        super().__init__()
        self.model, self.lr = model, lr
        self.log_scale = nn.Parameter(torch.tensor(2.7))
        self.register_buffer("centres", torch.from_numpy(centres))

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        *inputs, labels = batch
        fused, _weights = self.model(*inputs, self.centres)
        loss = F.cross_entropy(self.log_scale.exp() * fused @ self.centres.T, labels)
        loss = loss + _SHRINK * sum((p[:-1] - p[-1]).square().sum() for p in self.model.parameters())
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.Adam(self.parameters(), self.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, total_steps=steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]


def train_fusion(
    pools: Mapping[str, Pool],
    modalities: tuple[str, ...],
    centres: NDArray[np.float32],
    plan: FusionPlan,
    *,
    seed: int = 0,
    progress: bool = True,
) -> AdaptiveFusionModel:
    """Train on episodes drawn from `pools`; `modalities` fixes the ids and may name more than have pools."""
    L.seed_everything(seed, verbose=False)
    model = AdaptiveFusionModel(len(modalities))
    ordered = {m: pools[m] for m in modalities if m in pools}
    episodes = draw_episodes(ordered, plan.episodes, plan.most_in_training, np.random.default_rng(seed))
    ids = torch.tensor([*(modalities.index(m) for m in ordered), len(modalities)])
    dataset = TensorDataset(*_tensors(episodes, ids), torch.from_numpy(episodes.labels))
    trainer = L.Trainer(
        max_epochs=plan.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=progress,
        gradient_clip_val=1.0,
    )
    trainer.fit(FusionTraining(model, centres, plan.lr), DataLoader(dataset, plan.batch, shuffle=True))
    return model.eval()


@torch.no_grad()
def fuse(
    model: AdaptiveFusionModel, episodes: Episodes, modality_ids: list[int], centres: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fused embeddings [B, D] and weights [B, N]."""
    fused, weights = model(*_tensors(episodes, torch.tensor(modality_ids)), torch.from_numpy(centres))
    return fused.numpy(), weights.numpy()


def _tensors(episodes: Episodes, ids: Tensor) -> tuple[Tensor, ...]:
    return (
        torch.from_numpy(episodes.embeddings),
        torch.from_numpy(episodes.evidence),
        torch.from_numpy(episodes.quality),
        ids[torch.from_numpy(episodes.modality)],
        torch.from_numpy(episodes.mask),
    )


def calibrate(
    model: AdaptiveFusionModel,
    pools: Mapping[str, Pool],
    negatives: NDArray[np.float32],
    modalities: tuple[str, ...],
    centres: NDArray[np.float32],
    *,
    seed: int = 1,
    count: int = 6000,
) -> TemperatureScaling:
    """One scale per number of live sensors, and the threshold under which an answer is `unknown`.

    Args:
        pools: held-back recordings; a quarter of the episodes has a bad sensor.
        negatives: [M, D] embeddings of samples that show none of the classes.
    """
    ordered = {m: pools[m] for m in modalities if m in pools}
    ids = [*(modalities.index(m) for m in ordered), len(modalities)]
    episodes = draw_episodes(
        ordered, count, len(ordered), np.random.default_rng(seed), bad_share=0.25, generic_share=0.0
    )
    fused, _ = fuse(model, episodes, ids, centres)
    cosines, sizes = fused @ centres.T, episodes.mask.sum(axis=1).astype(int)
    scales = tuple(
        fit_scale(cosines[sizes == n], episodes.labels[sizes == n]) for n in range(1, len(ordered) + 1)
    )
    scored = TemperatureScaling(scale_by_count=scales, unknown_threshold=0.0)
    known = np.concatenate(
        [scored.probabilities(cosines[sizes == n], n).max(axis=1) for n in range(1, len(ordered) + 1)]
    )
    unknown = scored.probabilities(negatives @ centres.T, 1).max(axis=1) if len(negatives) else np.zeros(0)
    threshold = fit_unknown_threshold(known, unknown, max_known_refused=0.01)
    return TemperatureScaling(scale_by_count=scales, unknown_threshold=threshold)
