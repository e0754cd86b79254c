"""Learned fusion rules of the literature, trained on the same sensor sets as adaptive fusion.

    learned static weights    one weight per modality
    concatenation             an MLP on all modalities side by side, zeros for missing ones
    low-rank tensor fusion    Liu et al., Efficient Low-rank Multimodal Fusion, arXiv 1806.00064
    cross-attention           a learned query attends to the live sensors, Vaswani et al., arXiv 1706.03762

Their inputs are those of adaptive fusion: cosines to the class centres, evidence, modality.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from omnibind_ros.host.evaluation.pools import Pool
from omnibind_ros.host.evaluation.rules import Rule
from omnibind_ros.host.evaluation.sensor_sets import SensorSets, draw_sets
from omnibind_ros.host.training.fit import ON_CPU, Optimization, Training, fit, shuffled_batches

_SETS, _EPOCHS, _BATCH = 20_000, 6, 256
_OPTIMIZATION = Optimization(lr=3e-3, weight_decay=1e-3, decay_vectors=True)


def learn_rules(pools: Mapping[str, Pool], centres: NDArray[np.float32], seed: int = 0) -> dict[str, Rule]:
    """Train every rule on sets drawn from held-back recordings, with at most one sensor per modality.

    Args:
        pools: by modality, in the order of the modality ids of the sets that the rules are applied to.
        centres: float32 [K, D], unit norm.
    """
    rng = np.random.default_rng(seed)
    sets = draw_sets(pools, _SETS, len(pools), rng, generic_share=0.0, repeat_share=0.0)
    inputs, labels = _by_modality(sets, len(pools), centres), torch.from_numpy(sets.labels)
    rules = {}
    for name, kind in _MODELS.items():
        torch.manual_seed(seed)
        model = kind(len(pools), len(centres))
        fit(RuleTraining(name, model, inputs, labels), _EPOCHS, execution=ON_CPU)
        rules[name] = _rule(model.eval(), len(pools), centres)
    return rules


def _by_modality(sets: SensorSets, modalities: int, centres: NDArray[np.float32]) -> Tensor:
    """float32 [B, M, K + 2]: cosines, evidence and 1 for a live sensor of the modality, else all zero."""
    inputs = np.zeros((len(sets), modalities, len(centres) + 2), np.float32)
    row, column = np.nonzero(sets.mask)
    features = np.concatenate(
        [
            sets.embeddings[row, column] @ centres.T,
            sets.evidence[row, column, None],
            np.ones((len(row), 1), np.float32),
        ],
        axis=1,
    )
    inputs[row, sets.modality[row, column]] = features
    return torch.from_numpy(inputs)


class _StaticWeights(nn.Module):
    def __init__(self, modalities: int, classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((modalities, 1), 2.0))

    def forward(self, x: Tensor) -> Tensor:
        return (F.softplus(self.weight) * 5 * x[..., :-2]).sum(dim=1)


class _Concatenation(nn.Module):
    def __init__(self, modalities: int, classes: int, hidden: int = 128) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(modalities * (classes + 2), hidden),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(hidden, classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.layers(x)
        return scores


class _LowRankTensor(nn.Module):
    """Product over the modalities of factors linear in [x_m, 1], summed over the rank."""

    def __init__(self, modalities: int, classes: int, rank: int = 8) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.randn(modalities, classes + 3, rank, classes) * 0.1)
        with torch.no_grad():
            self.factors[:, -1] = 1.0  # a missing modality does not change the product
        self.mix = nn.Linear(rank, 1)

    def forward(self, x: Tensor) -> Tensor:
        one = torch.cat([x, torch.ones_like(x[..., :1])], dim=-1)
        product = torch.einsum("bmf,mfrk->bmrk", one, self.factors).prod(dim=1)
        scores: Tensor = self.mix(product.transpose(1, 2))[..., 0]
        return scores


class _CrossAttention(nn.Module):
    def __init__(self, modalities: int, classes: int, width: int = 64, heads: int = 4) -> None:
        super().__init__()
        self.enter = nn.Linear(classes + 2, width)
        self.token = nn.Parameter(0.1 * torch.randn(modalities, width))
        self.query = nn.Parameter(0.1 * torch.randn(1, 1, width))
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.leave = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        sensors = self.enter(x) + self.token
        absent = x[..., -1] == 0
        absent = absent & ~absent.all(dim=1, keepdim=True)
        query = self.query.expand(len(x), -1, -1)
        attended, _ = self.attention(query, sensors, sensors, key_padding_mask=absent)
        scores: Tensor = self.leave(attended[:, 0])
        return scores


_MODELS: dict[str, type[nn.Module]] = {
    "learned static weights": _StaticWeights,
    "concatenation": _Concatenation,
    "low-rank tensor fusion": _LowRankTensor,
    "cross-attention": _CrossAttention,
}


class RuleTraining(Training):
    """Sensor sets in random order; cross-entropy of the rule's scores."""

    def __init__(self, name: str, model: nn.Module, inputs: Tensor, labels: Tensor) -> None:
        super().__init__(name, _OPTIMIZATION)
        self.model, self._samples = model, (inputs, labels)

    def train_dataloader(self) -> DataLoader[Any]:
        return shuffled_batches(self._samples, _BATCH)

    def terms(self, batch: tuple[Tensor, ...]) -> Mapping[str, Tensor]:
        inputs, labels = batch
        return {"classes": F.cross_entropy(self.model(inputs), labels)}


def _rule(model: nn.Module, modalities: int, centres: NDArray[np.float32]) -> Rule:
    @torch.no_grad()
    def rule(sets: SensorSets) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = model(_by_modality(sets, modalities, centres)).numpy()
        return scores

    return rule
