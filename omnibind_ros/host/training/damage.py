"""Random damage to model inputs of any modality, for faults that are not simulated on the raw level.

The corruptions of a modality (`modalities/<name>/training.py`) are the known faults of its sensors; an
evidence head trained on these alone is overconfident on others. The damages here need to know only that a
model input has the shape channels x height x width. They are drawn at random and combined. (Outlier exposure:
Hendrycks et al., arXiv 1812.04606; mixed corruptions as in AugMix, arXiv 1912.02781.)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

_Damage = Callable[[Tensor, Tensor, float], Tensor]
"""(input [C, H, W], input of another recording, strength 0 to 1) -> damaged input [C, H, W]"""


def damage(inputs: Tensor, generator: torch.Generator) -> Tensor:
    """Apply one or two random damages of random strength to each of the model inputs float32 [B, C, H, W]."""
    others = inputs[torch.randperm(len(inputs), generator=generator)]
    damaged = []
    for one, other in zip(inputs, others, strict=True):
        for _ in range(1 + _below(2, generator)):
            change = _DAMAGES[_below(len(_DAMAGES), generator)](generator)
            one = change(one, other, float(torch.rand((), generator=generator)))
        damaged.append(one)
    return torch.stack(damaged)


def _noise(generator: torch.Generator) -> _Damage:
    return lambda x, _, s: x + 2 * s * x.std() * torch.randn(x.shape, generator=generator)


def _clouds(generator: torch.Generator) -> _Damage:
    """Smooth noise of a random scale."""
    cells = 2 + _below(7, generator)

    def change(x: Tensor, _: Tensor, s: float) -> Tensor:
        coarse = torch.randn(1, x.shape[0], cells, cells, generator=generator)
        return x + 2 * s * x.std() * F.interpolate(coarse, size=x.shape[1:], mode="bilinear")[0]

    return change


def _spikes(generator: torch.Generator) -> _Damage:
    def change(x: Tensor, _: Tensor, s: float) -> Tensor:
        hit = torch.rand(x.shape, generator=generator) < 0.4 * s * s
        return torch.where(hit, _level(x, generator), x)

    return change


def _cover(generator: torch.Generator) -> _Damage:
    def change(x: Tensor, _: Tensor, s: float) -> Tensor:
        height, width = (max(1, round(side * s)) for side in x.shape[1:])
        top = _below(x.shape[1] - height + 1, generator)
        left = _below(x.shape[2] - width + 1, generator)
        covered = x.clone()
        covered[:, top : top + height, left : left + width] = _level(x, generator)
        return covered

    return change


def _fade(generator: torch.Generator) -> _Damage:
    shift = _symmetric(generator)
    return lambda x, _, s: (x - x.mean()) * (1 - s) + x.mean() + shift * s * x.std()


def _mix(generator: torch.Generator) -> _Damage:
    """Another recording is mixed in."""
    if _below(2, generator):
        return lambda x, other, s: torch.maximum(x, s * other + (1 - s) * x.min())
    return lambda x, other, s: (1 - 0.7 * s) * x + 0.7 * s * other


def _drop(generator: torch.Generator) -> _Damage:
    """Elements, rows or columns are set to the minimum."""
    which = _below(4, generator)

    def change(x: Tensor, _: Tensor, s: float) -> Tensor:
        height, width = x.shape[1:]
        shape = ((1, height, width), (1, height, width), (1, height, 1), (1, 1, width))[which]
        return torch.where(torch.rand(shape, generator=generator) < 0.9 * s, x.min(), x)

    return change


def _blur(generator: torch.Generator) -> _Damage:
    def change(x: Tensor, _: Tensor, s: float) -> Tensor:
        reach = round(s * min(x.shape[1:]) / 8)
        padded = F.pad(x[None], (reach,) * 4, mode="replicate")
        return F.avg_pool2d(padded, 2 * reach + 1, stride=1)[0]

    return change


def _shift(generator: torch.Generator) -> _Damage:
    x_share, y_share = 0.8 * _symmetric(generator), 0.5 * _symmetric(generator)

    def change(x: Tensor, _: Tensor, s: float) -> Tensor:
        height, width = x.shape[1:]
        down, right = round(s * y_share * height), round(s * x_share * width)
        moved = torch.full_like(x, float(x.min()))
        moved[:, max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)] = x[
            :, max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)
        ]
        return moved

    return change


_DAMAGES: tuple[Callable[[torch.Generator], _Damage], ...] = (
    _noise, _clouds, _spikes, _cover, _fade, _mix, _drop, _blur, _shift,
)  # fmt: skip


def _below(end: int, generator: torch.Generator) -> int:
    return int(torch.randint(end, (), generator=generator))


def _symmetric(generator: torch.Generator) -> float:
    return float(2 * torch.rand((), generator=generator) - 1)


def _level(x: Tensor, generator: torch.Generator) -> Tensor:
    """A random value of the input's range; the minimum and the maximum are likelier than others."""
    return x.min() + (x.max() - x.min()) * (1.5 * torch.rand((), generator=generator) - 0.25).clamp(0, 1)
