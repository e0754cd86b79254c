"""Rules of fusion that are learned, as the literature has them, on episodes as adaptive fusion sees them.

    learned static weights    one weight a modality
    concatenation             an MLP on all modalities side by side, zeros for what is missing
    low-rank tensor fusion    Liu et al., Efficient Low-rank Multimodal Fusion, arXiv 1806.00064
    cross-attention           a learned query attends to the live sensors, Vaswani et al., arXiv 1706.03762

All read the cosines to the class centres and the evidence, as adaptive fusion does, and the modality.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from omnibind_ros.host.evaluation.pools import Pool
from omnibind_ros.host.evaluation.rules import Rule
from omnibind_ros.host.evaluation.sensor_sets import Episodes, draw_episodes

_EPISODES, _EPOCHS, _BATCH, _LR = 20_000, 6, 256, 3e-3


def learn_rules(pools: Mapping[str, Pool], centres: NDArray[np.float32], seed: int = 0) -> dict[str, Rule]:
    """Train all of them on sets drawn from held-back recordings; at most one sensor a modality.

    Args:
        pools: by modality, in the order of the ids of the episodes that the rules are to judge.
        centres: float32 [K, D], unit norm.
    """
    rng = np.random.default_rng(seed)
    episodes = draw_episodes(pools, _EPISODES, len(pools), rng, generic_share=0.0, repeat_share=0.0)
    inputs = _by_modality(episodes, len(pools), centres)
    labels = torch.from_numpy(episodes.labels)
    made = {}
    for name, kind in _MODELS.items():
        torch.manual_seed(seed)
        made[name] = _rule(_trained(kind(len(pools), len(centres)), inputs, labels), len(pools), centres)
    return made


def _by_modality(episodes: Episodes, modalities: int, centres: NDArray[np.float32]) -> Tensor:
    """float32 [B, M, K + 2]: cosines, evidence, and 1 where there is such a sensor; else all zero."""
    sets = np.zeros((len(episodes), modalities, len(centres) + 2), np.float32)
    row, column = np.nonzero(episodes.mask)
    features = np.concatenate(
        [
            episodes.embeddings[row, column] @ centres.T,
            episodes.evidence[row, column, None],
            np.ones((len(row), 1), np.float32),
        ],
        axis=1,
    )
    sets[row, episodes.modality[row, column]] = features
    return torch.from_numpy(sets)


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
    """Product over modalities of a factor that is linear in [x_m, 1], summed over the rank."""

    def __init__(self, modalities: int, classes: int, rank: int = 8) -> None:
        super().__init__()
        self.factors = nn.Parameter(torch.randn(modalities, classes + 3, rank, classes) * 0.1)
        with torch.no_grad():
            self.factors[:, -1] = 1.0  # a modality that is missing leaves the product as it is
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
        nobody = x[..., -1] == 0
        nobody = nobody & ~nobody.all(dim=1, keepdim=True)
        seen, _ = self.attention(self.query.expand(len(x), -1, -1), sensors, sensors, key_padding_mask=nobody)
        scores: Tensor = self.leave(seen[:, 0])
        return scores


_MODELS: dict[str, type[nn.Module]] = {
    "learned static weights": _StaticWeights,
    "concatenation": _Concatenation,
    "low-rank tensor fusion": _LowRankTensor,
    "cross-attention": _CrossAttention,
}


def _trained(model: nn.Module, inputs: Tensor, labels: Tensor) -> nn.Module:
    optimizer = torch.optim.AdamW(model.parameters(), _LR, weight_decay=1e-3)
    steps = _EPOCHS * -(-len(labels) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LR, total_steps=steps)
    for _ in range(_EPOCHS):
        for rows in torch.split(torch.randperm(len(labels)), _BATCH):
            loss = F.cross_entropy(model(inputs[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return model.eval()


def _rule(model: nn.Module, modalities: int, centres: NDArray[np.float32]) -> Rule:
    @torch.no_grad()
    def rule(episodes: Episodes) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = model(_by_modality(episodes, modalities, centres)).numpy()
        return scores

    return rule
