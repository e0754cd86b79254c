"""Student encoders: one small residual network per modality, all with embeddings in the same space.

Every modality's model input has the shape channels x height x width, so one architecture serves all. A time
series has height 1, and so have its kernels; text is a hashed vector, and its network has two layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class StudentConfig:
    """Shape of a student.

    Attributes:
        widths: channels of each stage; every stage but the first halves height and width.
        stem_stride: 2 halves height and width before the first stage.
        dropout: rate on the pooled features.
    """

    widths: tuple[int, ...] = (32, 64, 128)
    stem_stride: int = 1
    dropout: float = 0.2


class Student(nn.Module):
    """Model input [B, *shape] -> (embedding [B, D] of unit norm, evidence [B, 1] = log of the norm before).

    Args:
        input_shape: without the batch axis: [channels, height, width], or [length] for text.
        dim: length D of an embedding.
    """

    def __init__(self, input_shape: tuple[int, ...], dim: int, config: StudentConfig) -> None:
        super().__init__()
        if len(input_shape) == 1:
            self.backbone, features = _text_backbone(input_shape[0], 128)
        else:
            self.backbone, features = _image_backbone(input_shape[0], input_shape[1], config)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(features, dim)

    def point(self, x: Tensor) -> Tensor:
        """The embedding z [B, D] before it is normalised."""
        z: Tensor = self.head(self.dropout(self.backbone(x)))
        return z

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.point(x)
        norm = z.square().sum(dim=1, keepdim=True).clamp_min(1e-12).sqrt()
        return z / norm, norm.log()


@torch.no_grad()
def embed(encoder: nn.Module, inputs: Tensor, batch: int = 256) -> tuple[Tensor, Tensor]:
    """Embeddings float32 [M, D] and evidence float32 [M] of model inputs [M, *shape].

    Args:
        encoder: in evaluation mode, with outputs as `Student` has.
    """
    outputs = [encoder(some.float()) for some in torch.split(inputs, batch)]
    return torch.cat([e for e, _ in outputs]), torch.cat([s for _, s in outputs])[:, 0]


def _text_backbone(buckets: int, width: int) -> tuple[nn.Module, int]:
    return nn.Sequential(nn.Linear(buckets, width), nn.ReLU()), width


def _image_backbone(channels: int, height: int, config: StudentConfig) -> tuple[nn.Module, int]:
    first, kernel = config.widths[0], 1 if height == 1 else 3
    layers: list[nn.Module] = [_conv(channels, first, config.stem_stride, kernel), nn.ReLU(inplace=True)]
    width = first
    for stage, wider in enumerate(config.widths):
        layers.append(_Residual(width, wider, stride=1 if stage == 0 else 2, kernel=kernel))
        width = wider
    return nn.Sequential(*layers, _MeanMaxPool()), 2 * width


def _conv(channels: int, width: int, stride: int, kernel: int) -> nn.Module:
    """A convolution of height `kernel` and width 3, and batch normalisation."""
    convolution = nn.Conv2d(channels, width, (kernel, 3), stride, (kernel // 2, 1), bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width))


class _Residual(nn.Module):
    """Two convolutions and a shortcut (He et al., arXiv 1512.03385)."""

    def __init__(self, width: int, wider: int, stride: int, kernel: int) -> None:
        super().__init__()
        self.first = _conv(width, wider, stride, kernel)
        self.second = _conv(wider, wider, 1, kernel)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or width != wider:
            self.shortcut = nn.Sequential(
                nn.Conv2d(width, wider, 1, stride, bias=False), nn.BatchNorm2d(wider)
            )

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.first(x))
        return torch.relu(self.second(inner) + self.shortcut(x))


class _MeanMaxPool(nn.Module):
    """Global mean and maximum over height and width, concatenated: [B, C, H, W] -> [B, 2 C]."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1)
