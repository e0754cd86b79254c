"""Recordings -> tensors, by the same preprocessing as on the robot."""

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
"""Class index of a sample whose label is not known."""


@dataclass(frozen=True, eq=False)
class Samples:
    """N prepared samples of one modality.

    Attributes:
        inputs: float16 [N, V, *shape]; variant 0 is the recording as it is, the others are augmented.
        labels: int64 [N], class index, `NEGATIVE` or `UNLABELLED`.
        sources: str [N], name of the source.
        groups: str [N], speaker, writer or session.
        recordings: what each sample was read from; empty if they were not read from recordings.
        corrupted: float16 [N, C, *shape], corrupted versions of each; C may be 0.
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

    def with_labels_of(self, rows: NDArray[np.intp]) -> Samples:
        """The same samples, of which only `rows` keep their label; the others are `UNLABELLED`."""
        labels = torch.full_like(self.labels, UNLABELLED)
        labels[rows] = self.labels[rows]
        return replace(self, labels=labels)

    @staticmethod
    def joined(first: Samples, second: Samples) -> Samples:
        """Both, one after the other."""
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
    preprocessor: Preprocessor,
    variants: int = 1,
    seed: int = 0,
    corrupted: int = 0,
) -> Samples:
    """Read and preprocess recordings; those of quality 0 are left out, as on the robot.

    Args:
        labels: the classes in the order of their indices.
        variants: number of versions of each, augmented on the raw level from the second on.
        corrupted: number of corrupted versions of each.

    Raises:
        BadRecording: a recording cannot be read.
    """
    known = definition(preprocessor.modality)
    augment, corruptions = load(known.augment), load(known.corruptions) or ()
    variants, corrupted = variants if augment else 1, corrupted if corruptions else 0
    # Separate streams: the number of corrupted versions does not change the augmented ones.
    rng, chance = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    kept: list[Recording] = []
    inputs = np.empty((len(recordings), variants, *preprocessor.input_shape[1:]), np.float16)
    broken = np.empty((len(recordings), corrupted, *preprocessor.input_shape[1:]), np.float16)
    for recording in track(recordings, f"reading {preprocessor.modality}", transient=True):
        raw = recording.load()
        if preprocessor.check(raw).quality == 0.0:
            continue
        inputs[len(kept), 0] = preprocessor.prepare(raw)[0]
        for v in range(1, variants):
            inputs[len(kept), v] = preprocessor.prepare(augment(raw, rng))[0] if augment else 0
        for v in range(corrupted):
            broken[len(kept), v] = preprocessor.prepare(_corrupted(raw, corruptions, preprocessor, chance))[0]
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
    raw: Any, corruptions: Sequence[Corrupt], preprocessor: Preprocessor, rng: np.random.Generator
) -> Any:
    """A sample with a random corruption, weakened until it passes the signal checks."""
    corrupt, strength = corruptions[int(rng.integers(len(corruptions)))], rng.random()
    while strength > 0.05:
        broken = corrupt(raw, strength, rng)
        if preprocessor.check(broken).quality > 0.0:
            return broken
        strength /= 2
    return raw
