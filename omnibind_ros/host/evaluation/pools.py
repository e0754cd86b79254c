"""Pools: embeddings of recordings, as they are and corrupted on the raw level, to draw sensor sets from.

A pool is computed once; drawing sets of sensors from it afterwards only copies rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.modalities.definition import load
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.registry import definition

NO_LABEL = -1
"""Class index of a recording of none of the classes."""

_AT_ONCE = 256
"""Model inputs in memory at a time."""

Embed = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Model inputs float32 [M, *shape] -> embeddings float32 [M, D] of unit norm, and evidence float32 [M]."""


@dataclass(frozen=True, eq=False)
class Pool:
    """N recordings of one modality, V versions of each; version 0 is the recording as it is.

    Attributes:
        embeddings: float32 [N, V, D], unit norm.
        evidence: float32 [N, V].
        quality: float32 [N, V]; a version of quality 0 fails the signal checks and never reaches fusion.
        kind: int64 [N, V], 0 for the recording as it is, k for the corruption `kinds[k - 1]`.
        strength: float32 [N, V], of the corruption, 0 to 1.
        labels: int64 [N], class index or `NO_LABEL`.
        pairs: str [N], the moment (see `Recording.pair`); "" without partners.
        kinds: names of the modality's corruptions.
    """

    embeddings: NDArray[np.float32]
    evidence: NDArray[np.float32]
    quality: NDArray[np.float32]
    kind: NDArray[np.int64]
    strength: NDArray[np.float32]
    labels: NDArray[np.int64]
    pairs: NDArray[np.str_]
    kinds: tuple[str, ...] = ()

    @property
    def clean(self) -> NDArray[np.float32]:
        """Embeddings of the recordings as they are, float32 [N, D]."""
        return self.embeddings[:, 0]

    def rows(self, keep: NDArray[Any]) -> Pool:
        """A pool of some of the recordings."""
        arrays = {name: values for name, values in vars(self).items() if name != "kinds"}
        return replace(self, **{name: values[keep] for name, values in arrays.items()})


def halves(pools: Mapping[str, Pool]) -> tuple[dict[str, Pool], dict[str, Pool]]:
    """Two halves of the labelled recordings; recordings of the same moment are in the same half."""
    turn: dict[str, int] = {}
    odd = {}
    for modality, pool in pools.items():
        own = [turn.setdefault(pair, len(turn)) if pair else n for n, pair in enumerate(pool.pairs)]
        odd[modality] = np.array(own, np.int64) % 2 == 1
    first, second = (
        {m: pool.rows((odd[m] == half) & (pool.labels != NO_LABEL)) for m, pool in pools.items()}
        for half in (False, True)
    )
    return first, second


def pick(recordings: Sequence[Recording], most: int, seed: int) -> list[Recording]:
    """At most `most` recordings, evenly over the classes; all modalities prefer the same moments."""
    rng = np.random.default_rng(seed)
    shuffled = [recordings[i] for i in rng.permutation(len(recordings))]
    shuffled.sort(key=lambda r: (not r.pair, r.pair and crc32(f"{seed} {r.pair}".encode())))
    seen: dict[str | None, int] = {}
    turn = []
    for recording in shuffled:
        turn.append(seen.get(recording.label, 0))
        seen[recording.label] = turn[-1] + 1
    return [shuffled[i] for i in np.argsort(turn, kind="stable")[:most]]


def make_pool(
    embed: Embed,
    preprocessor: Preprocessor,
    recordings: Sequence[Recording],
    labels: Sequence[str],
    *,
    versions: int = 8,
    kinds: Collection[int] | None = None,
    seed: int = 0,
) -> Pool:
    """Embed recordings and corrupted versions of each.

    All kinds of corruption occur equally often, with strengths spread evenly over 0 to 1. Recordings that
    fail the signal checks stay in the pool, with quality 0.

    Args:
        labels: the classes in the order of their indices.
        versions: corrupted versions of each recording; modalities without corruptions (text) have none.
        kinds: of corruption, as in `Pool.kind`; None uses all.

    Raises:
        BadRecording: a recording cannot be read.
    """
    all_kinds = load(definition(preprocessor.modality).corruptions) or ()
    corruptions = [
        (number, corrupt)
        for number, corrupt in enumerate(all_kinds, start=1)
        if kinds is None or number in kinds
    ]
    versions = versions if corruptions else 0
    made = _Versions(preprocessor, len(recordings), versions + 1)
    inputs: list[NDArray[np.float32]] = []
    embedded = []
    for n, recording in enumerate(track(recordings, f"corrupting {preprocessor.modality}", transient=True)):
        rng = np.random.default_rng([seed, n])
        raw = recording.load()
        inputs.append(made.add(n, 0, raw, 0, 0.0))
        steps = max(1, versions // max(1, len(corruptions)))
        for v in range(versions):
            kind, corrupt = corruptions[(v + n) % len(corruptions)]
            strength = (v // len(corruptions) % steps + rng.random()) / steps
            inputs.append(made.add(n, v + 1, corrupt(raw, strength, rng), kind, strength))
        if len(inputs) >= _AT_ONCE:
            embedded.append(embed(np.stack(inputs)))
            inputs = []
    if inputs:
        embedded.append(embed(np.stack(inputs)))
    shape = (len(recordings), versions + 1)
    index = {label: k for k, label in enumerate(labels)}
    return Pool(
        np.concatenate([vectors for vectors, _ in embedded]).reshape(*shape, -1),
        np.concatenate([evidence for _, evidence in embedded]).reshape(shape),
        made.quality,
        made.kind,
        made.strength,
        np.array([NO_LABEL if r.label is None else index[r.label] for r in recordings], np.int64),
        np.array([r.pair for r in recordings], np.str_),
        tuple(corrupt.__name__ for corrupt in all_kinds),
    )


class _Versions:
    """Quality, kind and strength of each version."""

    def __init__(self, preprocessor: Preprocessor, recordings: int, versions: int) -> None:
        self._preprocessor = preprocessor
        self.quality = np.zeros((recordings, versions), np.float32)
        self.kind = np.zeros((recordings, versions), np.int64)
        self.strength = np.zeros((recordings, versions), np.float32)

    def add(self, n: int, v: int, raw: Any, kind: int, strength: float) -> NDArray[np.float32]:
        """Check and prepare a version; returns its model input, zeros if it fails the signal checks."""
        self.kind[n, v], self.strength[n, v] = kind, strength
        self.quality[n, v] = self._preprocessor.check(raw).quality
        if self.quality[n, v] == 0:
            return np.zeros(self._preprocessor.input_shape[1:], np.float32)
        prepared: NDArray[np.float32] = self._preprocessor.prepare(raw)[0]
        return np.array(prepared)
