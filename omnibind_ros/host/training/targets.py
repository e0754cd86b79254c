"""What a teacher has to say about a modality's samples: the targets of CAD."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.to_pictures import Looks
from omnibind_ros.host.models.teachers import Teacher, moved_to
from omnibind_ros.host.models.teachers.teacher import Vectors
from omnibind_ros.host.training.cad import CadConfig

_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class Pictures:
    """Labelled pictures as the teacher sees them, from the mean of their classes.

    Attributes:
        vectors, labels: float32 [M,D], unit norm, and int64 [M].
        origin: float32 [D], that mean.
    """

    vectors: Vectors
    labels: NDArray[np.int64]
    origin: Vectors


@dataclass(frozen=True, eq=False)
class Targets:
    """Of N samples.

    Attributes:
        centres: float32 [K,D], unit norm.
        own: float32 [N,D]: the teacher's embedding of each sample's own picture, else another student's of
            its moment; zero where there is neither, or where they are not sure what they see.
        pictures, picture_labels: float32 [M,D] and int64 [M], in the order of their classes.
    """

    centres: Tensor
    own: Tensor
    pictures: Tensor
    picture_labels: Tensor

    @staticmethod
    def texts_only(centres: Vectors, samples: int) -> Targets:
        """No picture, no image teacher."""
        dim = centres.shape[1]
        none = torch.zeros(0, dim), torch.zeros(0, dtype=torch.int64)
        return Targets(torch.from_numpy(centres), torch.zeros(samples, dim), *none)

    @property
    def has_own(self) -> Tensor:
        """bool [N]: the teacher is sure of the sample's own picture."""
        return self.own.square().sum(dim=1) > 0.5

    def of(self, rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """t_i [B,D] of the samples `rows` [B], and whether it is of their own picture, bool [B].

        Without one of its own, or if the teacher misreads it, a sample with a class gets a picture of its
        class, drawn anew each time.
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


def see_pictures(teacher: Teacher, recordings: Sequence[Recording], labels: Sequence[str]) -> Pictures:
    """Labelled pictures through the teacher's eyes; those without a label are left out."""
    known = [r for r in recordings if r.label is not None]
    classes = np.array([list(labels).index(str(r.label)) for r in known], np.int64)
    vectors = _encode(teacher, [r.load for r in known])
    means = [vectors[classes == k].mean(axis=0) for k in np.unique(classes)]
    origin = np.mean(means, axis=0) if means else np.zeros(vectors.shape[1], np.float32)
    order = np.argsort(classes, kind="stable")
    return Pictures(moved_to(vectors[order], origin), classes[order], np.asarray(origin, np.float32))


def make_targets(
    teacher: Teacher,
    centres: Vectors,
    recordings: Sequence[Recording],
    looks: Looks,
    pictures: Pictures,
    cad: CadConfig,
) -> Targets:
    """What the teacher says about each recording's own picture, and about labelled pictures."""
    shown = [looks(r) for r in track(recordings, "showing", transient=True, disable=not recordings)]
    rows = [n for n, picture in enumerate(shown) if picture is not None]
    own = np.zeros((len(recordings), centres.shape[1]), np.float32)
    seen = [picture for picture in shown if picture is not None]
    if rows:
        own[rows] = _sure(moved_to(teacher.encode_images(seen), pictures.origin), centres, cad)
    return Targets(
        torch.from_numpy(centres),
        torch.from_numpy(own),
        torch.from_numpy(pictures.vectors),
        torch.from_numpy(pictures.labels),
    )


def with_partner(targets: Targets, seen: Vectors, cad: CadConfig) -> Targets:
    """What another student makes of the samples' moments counts where there is no picture of them.

    Args:
        seen: float32 [N,D], its embeddings, unit norm; zero where it has no recording of the moment.
    """
    sure = torch.from_numpy(_sure(seen, targets.centres.numpy(), cad))
    return replace(targets, own=torch.where(targets.has_own[:, None], targets.own, sure))


def _sure(vectors: Vectors, centres: Vectors, cad: CadConfig) -> Vectors:
    """Zero where it is not clear what they show."""
    belief = torch.softmax(torch.from_numpy(vectors @ centres.T) / cad.temperature, dim=1)
    kept: Vectors = vectors * (belief.amax(dim=1).numpy() >= cad.sure)[:, None]
    return kept


def _encode(teacher: Teacher, loads: Sequence[object]) -> Vectors:
    parts = []
    for start in range(0, len(loads), _AT_ONCE):
        pictures = [load() for load in loads[start : start + _AT_ONCE]]  # type: ignore[operator]
        parts.append(teacher.encode_images(pictures))
    return np.concatenate(parts) if parts else teacher.encode_images([])
