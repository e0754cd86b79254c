"""Recordings -> tensors. Every recording goes through the very adaptor that the robot uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.modalities.definition import Corrupt, load
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.registry import definition

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
        corrupted: float16 [N, C, *shape], each as it comes from a sensor that fails; C may be 0.
    """

    inputs: torch.Tensor
    labels: torch.Tensor
    sources: NDArray[np.str_]
    groups: NDArray[np.str_]
    recordings: tuple[Recording, ...] = ()
    corrupted: torch.Tensor = field(default_factory=lambda: torch.zeros(0, 0))

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
            self.corrupted[index] if self.corrupted.numel() else self.corrupted,
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
            torch.cat([first.corrupted, second.corrupted]),
        )

    @property
    def clean(self) -> torch.Tensor:
        """float32 [N, *shape]: the recordings as they are."""
        return self.inputs[:, 0].float()


def prepare_samples(
    recordings: Sequence[Recording],
    labels: Sequence[str],
    adaptor: Preprocessor,
    variants: int = 1,
    seed: int = 0,
    corrupted: int = 0,
) -> Samples:
    """Read and preprocess recordings; those of quality 0 are left out, as they would be on the robot.

    Args:
        variants: how many versions of each are kept; from the second on they are augmented on the raw level.
        corrupted: how many corrupted versions of each are kept as well.
    """
    known = definition(adaptor.modality)
    augment, corruptions = load(known.augment), load(known.corruptions) or ()
    variants, corrupted = variants if augment else 1, corrupted if corruptions else 0
    # Streams of their own: what is asked of one leaves the other as it was.
    rng, chance = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    kept: list[Recording] = []
    inputs = np.empty((len(recordings), variants, *adaptor.input_shape[1:]), np.float16)
    broken = np.empty((len(recordings), corrupted, *adaptor.input_shape[1:]), np.float16)
    for recording in track(recordings, f"reading {adaptor.modality}", transient=True):
        raw = recording.load()
        if adaptor.check(raw).quality == 0.0:
            continue
        inputs[len(kept), 0] = adaptor.prepare(raw)[0]
        for v in range(1, variants):
            inputs[len(kept), v] = adaptor.prepare(augment(raw, rng))[0] if augment else 0
        for v in range(corrupted):
            broken[len(kept), v] = adaptor.prepare(_corrupted(raw, corruptions, adaptor, chance))[0]
        kept.append(recording)
    index = {label: k for k, label in enumerate(labels)}
    return Samples(
        torch.from_numpy(inputs[: len(kept)]),
        torch.tensor([NEGATIVE if r.label is None else index[r.label] for r in kept], dtype=torch.int64),
        np.array([r.source for r in kept]),
        np.array([r.group for r in kept]),
        tuple(kept),
        torch.from_numpy(broken[: len(kept)]),
    )


def _corrupted(
    raw: Any, corruptions: Sequence[Corrupt], adaptor: Preprocessor, rng: np.random.Generator
) -> Any:
    """A raw sample of any kind and strength of corruption that the signal checks let pass."""
    corrupt, strength = corruptions[int(rng.integers(len(corruptions)))], rng.random()
    while strength > 0.05:
        broken = corrupt(raw, strength, rng)
        if adaptor.check(broken).quality > 0.0:
            return broken
        strength /= 2
    return raw
