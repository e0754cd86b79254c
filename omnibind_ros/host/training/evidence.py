"""First half of stage 2: every encoder learns to say how sure it may be, with its embeddings left alone.

The head (`models.evidence`) is trained on the recordings the student was trained on: as they are, corrupted
on the raw level, and with their model inputs damaged at random. Loss: cross-entropy of
softmax(exp(evidence) c), c the cosines to the class centres; it has no better choice than to be as sure as
the encoder is right.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.evaluation.pools import NO_LABEL, Embed, Pool, make_pool
from omnibind_ros.host.models.evidence import EvidenceHead
from omnibind_ros.host.training.damage import damage
from omnibind_ros.modalities.preprocessor import Preprocessor

MOST_RECORDINGS = 400
"""Of a modality, that the head is trained on: more add minutes and nothing else."""

_CORRUPTED, _DAMAGED = 8, 8
_EPOCHS, _BATCH, _LR, _DECAY = 8, 256, 3e-3, 1e-2


def embedder(encoder: nn.Module) -> Embed:
    """A torch encoder as pools want it."""

    def embed(inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        embeddings, evidence = _embed(encoder, torch.from_numpy(inputs))
        return embeddings.numpy(), evidence.numpy()

    return embed


@torch.no_grad()
def _embed(encoder: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Embeddings [M, D] and evidence [M] of model inputs."""
    outputs = [encoder(some) for some in torch.split(inputs, _BATCH)]
    return torch.cat([e for e, _ in outputs]), torch.cat([s for _, s in outputs])[:, 0]


def train_evidence(
    student: nn.Module,
    adaptor: Preprocessor,
    recordings: Sequence[Recording],
    labels: Sequence[str],
    centres: NDArray[np.float32],
    *,
    kinds: Collection[int] | None = None,
    seed: int = 0,
) -> EvidenceHead:
    """Train the head of a student on some of the recordings it was trained on.

    Inputs that are no pictures (text) cannot be damaged; their encoder's evidence stays as it is.

    Args:
        centres: float32 [K, D], unit norm.
        kinds: of corruption that it may meet; None is all (see `Pool.kind`).
    """
    if len(adaptor.input_shape) != 4:
        return EvidenceHead(centres.shape[1]).eval()
    rng = np.random.default_rng(seed)
    known = [r for r in recordings if r.label is not None]
    some = [known[i] for i in rng.permutation(len(known))[:MOST_RECORDINGS]]
    pool = make_pool(embedder(student), adaptor, some, labels, versions=_CORRUPTED, kinds=kinds, seed=seed)
    parts = [_seen(pool), _damaged(student, adaptor, some, labels, seed)]
    embeddings, evidence, classes = (torch.cat(column) for column in zip(*parts, strict=True))
    torch.manual_seed(seed)
    return fit_evidence(embeddings, evidence, classes, torch.from_numpy(centres))


def fit_evidence(embeddings: Tensor, evidence: Tensor, classes: Tensor, centres: Tensor) -> EvidenceHead:
    """Fit a head to embeddings [M, D] with log-norms `evidence` [M] of samples of the `classes` [M]."""
    z, cosines = embeddings * evidence.exp()[:, None], embeddings @ centres.T
    head = EvidenceHead(z.shape[1])
    head.mean.copy_(z.mean(dim=0))
    head.scale.copy_(z.std().clamp_min(1e-6))
    optimizer = torch.optim.AdamW(head.parameters(), _LR, weight_decay=_DECAY)
    steps = _EPOCHS * -(-len(z) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _LR, total_steps=steps)
    for _ in range(_EPOCHS):
        for rows in torch.split(torch.randperm(len(z)), _BATCH):
            sharpness = torch.exp(evidence[rows, None] + head(z[rows]))
            loss = F.cross_entropy(sharpness * cosines[rows], classes[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return head.eval()


def _seen(pool: Pool) -> tuple[Tensor, Tensor, Tensor]:
    live = (pool.quality > 0) & (pool.labels != NO_LABEL)[:, None]
    labels = np.broadcast_to(pool.labels[:, None], live.shape)
    return (
        torch.from_numpy(pool.embeddings[live]),
        torch.from_numpy(pool.evidence[live]),
        torch.from_numpy(labels[live]),
    )


def _damaged(
    student: nn.Module,
    adaptor: Preprocessor,
    recordings: Sequence[Recording],
    labels: Sequence[str],
    seed: int,
) -> tuple[Tensor, Tensor, Tensor]:
    inputs, classes = [], []
    for recording in recordings:
        raw = recording.load()
        if adaptor.check(raw).quality > 0:
            inputs.append(adaptor.prepare(raw)[0].copy())
            classes.append(list(labels).index(str(recording.label)))
    clean, generator = torch.from_numpy(np.stack(inputs)), torch.Generator().manual_seed(seed)
    made = [_embed(student, damage(clean, generator)) for _ in range(_DAMAGED)]
    return (
        torch.cat([vectors for vectors, _ in made]),
        torch.cat([evidence for _, evidence in made]),
        torch.tensor(classes).repeat(_DAMAGED),
    )
