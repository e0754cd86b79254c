"""The targets of CAD: the teacher's embeddings of the pictures that belong to a modality's samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.to_pictures import Looks
from omnibind_ros.host.models.teachers import Teacher, centred
from omnibind_ros.host.models.teachers.teacher import Vectors
from omnibind_ros.host.training.cad import CadConfig
from omnibind_ros.modalities.definition import Picture

_BATCH = 512  # pictures in memory at a time


@dataclass(frozen=True, eq=False)
class PictureEmbeddings:
    """The teacher's embeddings of labelled pictures, in the order of their classes.

    Attributes:
        vectors: float32 [M, D], unit norm, seen from `origin`.
        labels: int64 [M], class index.
        origin: float32 [D], mean over the classes of their mean embedding.
    """

    vectors: Vectors
    labels: NDArray[np.int64]
    origin: Vectors


@dataclass(frozen=True, eq=False)
class Targets:
    """What N samples of a modality are trained towards.

    Attributes:
        centres: float32 [K, D], unit norm.
        own: float32 [N, D], the teacher's embedding of the picture that belongs to each sample, or another
            student's embedding of the same moment; zero where there is neither or it is not confident.
        pictures: float32 [M, D], embeddings of labelled pictures in the order of their classes.
        picture_labels: int64 [M].
    """

    centres: Tensor
    own: Tensor
    pictures: Tensor
    picture_labels: Tensor

    @staticmethod
    def texts_only(centres: Vectors, samples: int) -> Targets:
        """Targets of a number of samples without an image teacher: the class centres alone."""
        dim = centres.shape[1]
        none = torch.zeros(0, dim), torch.zeros(0, dtype=torch.int64)
        return Targets(torch.from_numpy(centres), torch.zeros(samples, dim), *none)

    @property
    def has_own(self) -> Tensor:
        """bool [N]: the sample has a target of its own."""
        return self.own.square().sum(dim=1) > 0.5

    def of(self, rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Targets t_i float32 [B, D] of the samples `rows` [B]; bool [B] marks targets of their own.

        A labelled sample without a target of its own, or with one that is nearest to another class, gets the
        embedding of a random picture of its class, drawn anew in each call. Others get zero.
        """
        own = self.own[rows]
        misread = (labels >= 0) & ((own @ self.centres.T).argmax(dim=1) != labels)
        has_own = (own.square().sum(dim=1) > 0.5) & ~misread
        if not len(self.pictures):
            return own * has_own[:, None], has_own
        classes = labels.clamp_min(0)
        first = torch.searchsorted(self.picture_labels, classes)
        count = torch.searchsorted(self.picture_labels, classes, right=True) - first
        drawn = first + (torch.rand(len(rows)) * count).long()
        others = self.pictures[drawn.clamp_max(len(self.pictures) - 1)]
        others = others * ((labels >= 0) & (count > 0)).float()[:, None]
        return torch.where(has_own[:, None], own, others), has_own


def embed_pictures(
    teacher: Teacher, recordings: Sequence[Recording], labels: Sequence[str]
) -> PictureEmbeddings:
    """Embed labelled pictures; recordings without a label are left out."""
    known = [r for r in recordings if r.label is not None]
    classes = np.array([list(labels).index(str(r.label)) for r in known], np.int64)
    vectors = _encode(teacher, [r.load for r in known])
    means = [vectors[classes == k].mean(axis=0) for k in np.unique(classes)]
    origin = np.mean(means, axis=0) if means else np.zeros(vectors.shape[1], np.float32)
    order = np.argsort(classes, kind="stable")
    return PictureEmbeddings(centred(vectors[order], origin), classes[order], np.asarray(origin, np.float32))


def make_targets(
    teacher: Teacher,
    centres: Vectors,
    recordings: Sequence[Recording],
    looks: Looks,
    pictures: PictureEmbeddings,
    cad: CadConfig,
) -> Targets:
    """The targets of recordings, and labelled pictures for those without one of their own."""
    found = [looks(r) for r in track(recordings, "rendering", transient=True, disable=not recordings)]
    rows = [n for n, picture in enumerate(found) if picture is not None]
    own = np.zeros((len(recordings), centres.shape[1]), np.float32)
    shown = [picture for picture in found if picture is not None]
    if rows:
        own[rows] = _confident(centred(teacher.encode_images(shown), pictures.origin), centres, cad)
    return Targets(
        torch.from_numpy(centres),
        torch.from_numpy(own),
        torch.from_numpy(pictures.vectors),
        torch.from_numpy(pictures.labels),
    )


def with_peer(targets: Targets, vectors: Vectors, cad: CadConfig) -> Targets:
    """Targets completed by another student's embeddings, where samples have no picture of their own.

    Args:
        vectors: float32 [N, D], unit norm; zero where the other student has no recording of the moment.
    """
    confident = torch.from_numpy(_confident(vectors, targets.centres.numpy(), cad))
    return replace(targets, own=torch.where(targets.has_own[:, None], targets.own, confident))


def _confident(vectors: Vectors, centres: Vectors, cad: CadConfig) -> Vectors:
    """The vectors [N, D], set to zero where the largest class probability is below `cad.sure`."""
    probabilities = torch.softmax(torch.from_numpy(vectors @ centres.T) / cad.temperature, dim=1)
    kept: Vectors = vectors * (probabilities.amax(dim=1).numpy() >= cad.sure)[:, None]
    return kept


def _encode(teacher: Teacher, loads: Sequence[Callable[[], Picture]]) -> Vectors:
    """Embeddings [n, D] of pictures that are loaded a batch at a time."""
    batches = [loads[start : start + _BATCH] for start in range(0, len(loads), _BATCH)]
    parts = [teacher.encode_images([load() for load in batch]) for batch in batches]
    return np.concatenate(parts) if parts else teacher.encode_images([])
