"""Recordings -> tensors. Every recording goes through the very adaptor that the robot uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from omnibind_ros.data.augment import AUGMENTATIONS
from omnibind_ros.data.recording import Recording
from omnibind_ros.sensors.adaptor import SensorAdaptor

NEGATIVE = -1
"""Class index of a sample that shows none of the labels."""

UNLABELLED = -2
"""Class index of a sample of which nobody has said what it shows."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Prepared samples of one modality.

    Attributes:
        inputs: float16 [N, V, *shape]; variant 0 is the recording as it is, the others are augmented.
        labels: int64 [N], `NEGATIVE` for none of the labels, `UNLABELLED` for not known.
        sources: name of the source of each, [N].
        groups: speaker, writer or session of each, [N].
        recordings: what each was read from; empty for samples that were made otherwise.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    sources: NDArray[np.str_]
    groups: NDArray[np.str_]
    recordings: tuple[Recording, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Samples:
        index = torch.from_numpy(np.flatnonzero(keep) if keep.dtype == bool else keep)
        return Samples(
            self.inputs[index],
            self.labels[index],
            self.sources[index.numpy()],
            self.groups[index.numpy()],
            tuple(self.recordings[i] for i in index.tolist()) if self.recordings else (),
        )

    def knowing(self, rows: NDArray[np.intp]) -> Samples:
        """The same samples, but only those of `rows` have a label."""
        labels = torch.full_like(self.labels, UNLABELLED)
        labels[rows] = self.labels[rows]
        return replace(self, labels=labels)

    @staticmethod
    def joined(first: Samples, second: Samples) -> Samples:
        """Both, in this order."""
        return Samples(
            torch.cat([first.inputs, second.inputs]),
            torch.cat([first.labels, second.labels]),
            np.concatenate([first.sources, second.sources]),
            np.concatenate([first.groups, second.groups]),
            first.recordings + second.recordings,
        )

    @property
    def clean(self) -> torch.Tensor:
        """float32 [N, *shape]: the recordings as they are."""
        return self.inputs[:, 0].float()


def prepare_samples(
    recordings: Sequence[Recording],
    labels: Sequence[str],
    adaptor: SensorAdaptor,
    variants: int = 1,
    seed: int = 0,
) -> Samples:
    """Read and preprocess recordings; those of quality 0 are left out, as they would be on the robot.

    Args:
        variants: how many versions of each are kept; from the second on they are augmented on the raw level.
    """
    augment = AUGMENTATIONS.get(adaptor.modality)
    variants = variants if augment else 1
    rng = np.random.default_rng(seed)
    kept: list[Recording] = []
    inputs = np.empty((len(recordings), variants, *adaptor.input_shape[1:]), np.float16)
    for recording in track(recordings, f"reading {adaptor.modality}", transient=True):
        raw = recording.load()
        if adaptor.check(raw).quality == 0.0:
            continue
        inputs[len(kept), 0] = adaptor.prepare(raw)[0]
        for v in range(1, variants):
            inputs[len(kept), v] = adaptor.prepare(augment(raw, rng))[0] if augment else 0
        kept.append(recording)
    index = {label: k for k, label in enumerate(labels)}
    return Samples(
        torch.from_numpy(inputs[: len(kept)]),
        torch.tensor([NEGATIVE if r.label is None else index[r.label] for r in kept], dtype=torch.int64),
        np.array([r.source for r in kept]),
        np.array([r.group for r in kept]),
        tuple(kept),
    )
