"""Evidence: the logarithm of the scale at which one embedding's class probabilities are calibrated.

The class probabilities of one sensor are softmax(s c), with its cosines c to the class centres and
s = exp(evidence). The norm |z| of the encoder's output is a poor s: a network trained on clean recordings is
confident on corrupted ones, too. But z, which has hundreds of dimensions, lies elsewhere when the sensor is
faulty, so a small head corrects the norm:

    evidence = log |z| + 3 tanh(h(z) / 3),  h = MLP(z), zero before it is trained

This is temperature scaling (Guo et al., arXiv 1706.04599) with a temperature per sample. The embedding, which
is the direction of z, does not change.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_MOST = 3.0
"""Largest correction of the evidence either way, in nats."""


class EvidenceHead(nn.Module):
    """Correction of the evidence: z float32 [B, D] -> float32 [B, 1].

    Args:
        dim: D.
        hidden: width of the hidden layer.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, dim: int, hidden: int = 32) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("scale", torch.ones(()))
        self.dropout = nn.Dropout(0.2)
        self.inner = nn.Linear(dim, hidden)
        self.outer = nn.Linear(hidden, 1)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, z: Tensor) -> Tensor:
        hidden = torch.relu(self.inner(self.dropout((z - self.mean) / self.scale)))
        return _MOST * torch.tanh(self.outer(hidden) / _MOST)


class EvidenceEncoder(nn.Module):
    """A student with its evidence head.

    Model input [B, *shape] -> (embedding float32 [B, D] of unit norm, evidence float32 [B, 1]).
    """

    def __init__(self, student: nn.Module, head: EvidenceHead) -> None:
        super().__init__()
        self.student, self.head = student, head

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        embedding, log_norm = self.student(x)
        return embedding, log_norm + self.head(embedding * log_norm.exp())
