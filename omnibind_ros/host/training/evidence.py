"""Stage 2, first half: the evidence head of each encoder learns how confident the encoder may be.

The encoder is frozen, so its embeddings stay the same. The head (`models.evidence`) is trained on the
recordings that the encoder was trained on: as they are, corrupted on the raw level, and with randomly damaged
model inputs. The loss is the cross-entropy of softmax(exp(evidence) c), where c are the cosines to the class
centres; it is least when the confidence equals the probability of being correct.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.evaluation.pools import NO_LABEL, Embed, Pool, make_pool
from omnibind_ros.host.models.evidence import EvidenceHead
from omnibind_ros.host.models.student import embed
from omnibind_ros.host.training.damage import damage
from omnibind_ros.host.training.fit import ON_CPU, Optimization, Training, fit, shuffled_batches
from omnibind_ros.modalities.preprocessor import Preprocessor

MOST_RECORDINGS = 400
"""Recordings of a modality that the head is trained on; more take minutes and do not improve it."""

_CORRUPTED, _DAMAGED = 8, 8  # versions of each recording
_EPOCHS, _BATCH = 8, 256
_OPTIMIZATION = Optimization(lr=3e-3, weight_decay=1e-2, decay_vectors=True, max_norm=None)


def embedder(encoder: nn.Module) -> Embed:
    """A torch encoder as `make_pool` calls it, on NumPy arrays."""

    def embed_arrays(inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        embeddings, evidence = embed(encoder, torch.from_numpy(inputs))
        return embeddings.numpy(), evidence.numpy()

    return embed_arrays


def train_evidence(
    student: nn.Module,
    preprocessor: Preprocessor,
    recordings: Sequence[Recording],
    labels: Sequence[str],
    centres: NDArray[np.float32],
    *,
    kinds: Collection[int] | None = None,
    seed: int = 0,
) -> EvidenceHead:
    """Train the evidence head of a student on up to `MOST_RECORDINGS` labelled recordings.

    Inputs that are not images (text) cannot be damaged: their head stays untrained and changes nothing.

    Args:
        recordings: those the student was trained on; recordings without a label are left out.
        centres: float32 [K, D], unit norm.
        kinds: of corruption that are used, as in `Pool.kind`; None uses all.
    """
    if len(preprocessor.input_shape) != 4:
        return EvidenceHead(centres.shape[1]).eval()
    rng = np.random.default_rng(seed)
    labelled = [r for r in recordings if r.label is not None]
    some = [labelled[i] for i in rng.permutation(len(labelled))[:MOST_RECORDINGS]]
    pool = make_pool(
        embedder(student), preprocessor, some, labels, versions=_CORRUPTED, kinds=kinds, seed=seed
    )
    parts = [_of_pool(pool), _damaged(student, preprocessor, some, labels, seed)]
    embeddings, evidence, classes = (torch.cat(column) for column in zip(*parts, strict=True))
    torch.manual_seed(seed)
    return fit_evidence(embeddings, evidence, classes, torch.from_numpy(centres))


def fit_evidence(embeddings: Tensor, evidence: Tensor, classes: Tensor, centres: Tensor) -> EvidenceHead:
    """Fit a head to the outputs of an encoder; random numbers come from torch's global stream.

    Args:
        embeddings: float32 [M, D], unit norm.
        evidence: float32 [M], log of the norm before normalisation.
        classes: int64 [M], the true class of each sample.
        centres: float32 [K, D], unit norm.
    """
    z = embeddings * evidence.exp()[:, None]
    head = EvidenceHead(z.shape[1])
    head.mean.copy_(z.mean(dim=0))
    head.scale.copy_(z.std().clamp_min(1e-6))
    fit(EvidenceTraining(head, (z, evidence, embeddings @ centres.T, classes)), _EPOCHS, execution=ON_CPU)
    return head.eval()


class EvidenceTraining(Training):
    """Samples (z [M, D], evidence [M], cosines [M, K], class [M]) in random order; cross-entropy."""

    def __init__(self, head: EvidenceHead, samples: tuple[Tensor, ...]) -> None:
        super().__init__("evidence", _OPTIMIZATION)
        self.head, self._samples = head, samples

    def train_dataloader(self) -> DataLoader[Any]:
        return shuffled_batches(self._samples, _BATCH)

    def terms(self, batch: tuple[Tensor, ...]) -> Mapping[str, Tensor]:
        z, evidence, cosines, classes = batch
        sharpness = torch.exp(evidence[:, None] + self.head(z))
        return {"classes": F.cross_entropy(sharpness * cosines, classes)}


def _of_pool(pool: Pool) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings, evidence and classes of the versions that pass the signal checks and have a label."""
    used = (pool.quality > 0) & (pool.labels != NO_LABEL)[:, None]
    labels = np.broadcast_to(pool.labels[:, None], used.shape)
    return (
        torch.from_numpy(pool.embeddings[used]),
        torch.from_numpy(pool.evidence[used]),
        torch.from_numpy(labels[used]),
    )


def _damaged(
    student: nn.Module,
    preprocessor: Preprocessor,
    recordings: Sequence[Recording],
    labels: Sequence[str],
    seed: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings, evidence and classes of randomly damaged model inputs."""
    inputs, classes = [], []
    for recording in recordings:
        raw = recording.load()
        if preprocessor.check(raw).quality > 0:
            inputs.append(preprocessor.prepare(raw)[0].copy())
            classes.append(list(labels).index(str(recording.label)))
    clean, generator = torch.from_numpy(np.stack(inputs)), torch.Generator().manual_seed(seed)
    outputs = [embed(student, damage(clean, generator)) for _ in range(_DAMAGED)]
    return (
        torch.cat([embeddings for embeddings, _ in outputs]),
        torch.cat([evidence for _, evidence in outputs]),
        torch.tensor(classes).repeat(_DAMAGED),
    )
