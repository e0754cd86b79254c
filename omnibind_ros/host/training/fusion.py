"""Stage 2, second half: adaptive fusion is trained and calibrated on random sets of sensors.

Some sensors of the sets are corrupted or stuck. The encoders are frozen and already provide evidence
(`training.evidence`). Loss: cross-entropy of softmax(scale cos(fused, a_k)) with one learned scale, used in
training alone, plus a penalty on the difference between each modality's parameters and the generic token's.
Afterwards one scale per number of live sensors and the threshold of `unknown` are fitted.
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

from omnibind_ros.bundle.temperature_scaling import TemperatureScaling, sample_probabilities
from omnibind_ros.host.evaluation.confidence import fit_scale, fit_unknown_threshold
from omnibind_ros.host.evaluation.pools import Pool
from omnibind_ros.host.evaluation.sensor_sets import SensorSets, draw_sets
from omnibind_ros.host.models.adaptive_fusion import AdaptiveFusionModel
from omnibind_ros.host.training.fit import Execution, Optimization, Training, fit

_SHRINK = 0.03
"""Weight of the penalty that keeps a modality near the generic token unless the recordings contradict it."""


@dataclass(frozen=True)
class FusionPlan:
    """How fusion is trained.

    Attributes:
        sets: sensor sets that are drawn once and shown in each epoch.
        max_sensors: rows of the exported fusion step.
        most_in_training: sensors of the largest set in training.
    """

    sets: int = 15_000
    epochs: int = 6
    batch: int = 256
    lr: float = 1e-2
    max_sensors: int = 16
    most_in_training: int = 7


def train_fusion(
    pools: Mapping[str, Pool],
    modalities: tuple[str, ...],
    centres: NDArray[np.float32],
    plan: FusionPlan,
    *,
    seed: int = 0,
    progress: bool = True,
) -> AdaptiveFusionModel:
    """Train on sets drawn from `pools`.

    Args:
        modalities: their order gives the modality ids; some may have no pool.
        centres: float32 [K, D], unit norm.
        progress: show a progress bar.
    """
    L.seed_everything(seed, verbose=False)
    model = AdaptiveFusionModel(len(modalities))
    ordered = {m: pools[m] for m in modalities if m in pools}
    sets = draw_sets(ordered, plan.sets, plan.most_in_training, np.random.default_rng(seed))
    ids = torch.tensor([*(modalities.index(m) for m in ordered), len(modalities)])
    samples = TensorDataset(*_tensors(sets, ids), torch.from_numpy(sets.labels))
    training = FusionTraining(model, samples, centres, plan)
    fit(training, plan.epochs, execution=Execution(progress=progress, accelerator="cpu"))
    return model.eval()


class FusionTraining(Training):
    """Sensor sets in random order; cross-entropy and the penalty."""

    centres: Tensor

    def __init__(
        self,
        model: AdaptiveFusionModel,
        samples: TensorDataset,
        centres: NDArray[np.float32],
        plan: FusionPlan,
    ) -> None:
        super().__init__("fusion", Optimization(plan.lr))
        self.model, self._samples, self._batch = model, samples, plan.batch
        self.log_scale = nn.Parameter(torch.tensor(2.7))
        self.register_buffer("centres", torch.from_numpy(centres))

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self._samples, self._batch, shuffle=True)

    def terms(self, batch: list[Tensor]) -> Mapping[str, Tensor]:
        *inputs, labels = batch
        fused, _weights = self.model(*inputs, self.centres)
        apart = [(p[:-1] - p[-1]).square().sum() for p in self.model.parameters()]
        return {
            "classes": F.cross_entropy(self.log_scale.exp() * fused @ self.centres.T, labels),
            "shrink": _SHRINK * torch.stack(apart).sum(),
        }


@torch.no_grad()
def fuse(
    model: AdaptiveFusionModel, sets: SensorSets, modality_ids: list[int], centres: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Fused embeddings float32 [B, D] and weights float32 [B, N].

    Args:
        modality_ids: the model's id of each modality number of `sets`.
        centres: float32 [K, D], unit norm.
    """
    fused, weights = model(*_tensors(sets, torch.tensor(modality_ids)), torch.from_numpy(centres))
    return fused.numpy(), weights.numpy()


def fit_temperature_scaling(
    model: AdaptiveFusionModel,
    pools: Mapping[str, Pool],
    negatives: tuple[NDArray[np.float32], NDArray[np.float32]],
    modalities: tuple[str, ...],
    centres: NDArray[np.float32],
    *,
    seed: int = 1,
    count: int = 6000,
) -> TemperatureScaling:
    """Fit one scale per number of live sensors, and the probability below which an answer is `unknown`.

    That threshold is for the probability of a single sensor's best class, as its evidence makes it; it
    refuses at most 1 % of the correct answers to single recordings.

    Args:
        pools: of held-back recordings; a quarter of the sets has a corrupted or stuck sensor.
        negatives: embeddings, float32 [M, D], of samples of none of the classes and their evidence, float32
            [M]; M may be 0.
        modalities: their order gives the modality ids.
        centres: float32 [K, D], unit norm.
        count: sets that are drawn.
    """
    ordered = {m: pools[m] for m in modalities if m in pools}
    ids = [*(modalities.index(m) for m in ordered), len(modalities)]
    sets = draw_sets(
        ordered, count, len(ordered), np.random.default_rng(seed), bad_share=0.25, generic_share=0.0
    )
    fused, _ = fuse(model, sets, ids, centres)
    cosines, sizes = fused @ centres.T, sets.mask.sum(axis=1).astype(int)
    scales = tuple(
        fit_scale(cosines[sizes == n], sets.labels[sizes == n]) for n in range(1, len(ordered) + 1)
    )
    known = np.concatenate([_best_of_correct(pool, centres) for pool in ordered.values()])
    unknown = sample_probabilities(negatives[0] @ centres.T, negatives[1]).max(axis=1, initial=0.0)
    threshold = fit_unknown_threshold(known, unknown, max_known_refused=0.01)
    return TemperatureScaling(scale_by_count=scales, unknown_threshold=threshold)


def _best_of_correct(pool: Pool, centres: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability of the best class of each clean recording for which that is the true one."""
    probabilities = sample_probabilities(pool.clean @ centres.T, pool.evidence[:, 0])
    correct = (probabilities.argmax(axis=1) == pool.labels) & (pool.quality[:, 0] > 0)
    best: NDArray[np.float32] = probabilities[correct].max(axis=1)
    return best


def _tensors(sets: SensorSets, ids: Tensor) -> tuple[Tensor, ...]:
    """The inputs of the fusion model in their order, without the centres."""
    return (
        torch.from_numpy(sets.embeddings),
        torch.from_numpy(sets.evidence),
        torch.from_numpy(sets.quality),
        ids[torch.from_numpy(sets.modality)],
        torch.from_numpy(sets.mask),
    )
