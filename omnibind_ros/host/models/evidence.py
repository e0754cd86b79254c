"""Evidence: how sharply an encoder may be believed, read from the very embedding it made.

The class posterior of one sensor is softmax(s c) with its cosines c to the class centres and s =
exp(evidence). A network that was taught on clean recordings is sure of broken ones, too: the length |z| of
its embedding is a poor s. But z, of hundreds of dimensions, lies elsewhere when the sensor is broken, so a
small head corrects it:

    evidence = log |z| + 3 tanh(h(z) / 3),  h = MLP(z), zero before it is trained

which is temperature scaling (Guo et al., arXiv 1706.04599) with a temperature per sample. The direction of z,
the embedding, stays what it was.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_MOST = 3.0
"""How far the head may move the evidence, in nats."""


class EvidenceHead(nn.Module):
    """z [B, D] -> correction of the evidence [B, 1].

    Args:
        dim: D.
        hidden: width of the one hidden layer.
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


class SureEncoder(nn.Module):
    """A student with its evidence head: model input -> (embedding [B, D] unit norm, evidence [B, 1])."""

    def __init__(self, student: nn.Module, head: EvidenceHead) -> None:
        super().__init__()
        self.student, self.head = student, head

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        embedding, log_norm = self.student(x)
        return embedding, log_norm + self.head(embedding * log_norm.exp())
