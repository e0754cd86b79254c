"""Episodes for fusion: sets of sensors that show the same class, drawn from recordings of every modality.

There are no true pairs in data that is aligned by class only, so a set is put together by drawing one
recording per sensor from the same class. Some sensors are corrupted on the raw level, some are stuck on what
they saw before (a recording of another class).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Pool:
    """Embeddings of one modality to draw from.

    Attributes:
        clean, clean_evidence: [N, D] and [N] of the recordings as they are.
        corrupted, corrupted_evidence, corrupted_quality: [N, V, D], [N, V] and [N, V]: V versions of each.
        labels: int64 [N].
    """

    clean: NDArray[np.float32]
    clean_evidence: NDArray[np.float32]
    corrupted: NDArray[np.float32]
    corrupted_evidence: NDArray[np.float32]
    corrupted_quality: NDArray[np.float32]
    labels: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Episodes:
    """A batch of sets, padded to `max_sensors` N.

    Attributes:
        embeddings: float32 [B, N, D]; evidence, quality, mask: float32 [B, N]; modality: int64 [B, N].
        labels: int64 [B].
        bad: bool [B, N], the corrupted or stuck sensors.
    """

    embeddings: NDArray[np.float32]
    evidence: NDArray[np.float32]
    quality: NDArray[np.float32]
    modality: NDArray[np.int64]
    mask: NDArray[np.float32]
    labels: NDArray[np.int64]
    bad: NDArray[np.bool_]


def draw_episodes(
    pools: Mapping[str, Pool],
    count: int,
    max_sensors: int,
    rng: np.random.Generator,
    *,
    bad_share: float = 0.5,
    stuck_share: float = 0.2,
    generic_share: float = 0.1,
    repeat_share: float = 0.3,
    modalities: tuple[str, ...] | None = None,
) -> Episodes:
    """Draw `count` sets of one class each.

    Args:
        pools: by modality, in the order of the fusion model's ids.
        bad_share: episodes in which at least one of two or more sensors is bad.
        stuck_share: of the bad sensors, how many are stuck rather than corrupted.
        generic_share: sensors whose modality is hidden behind the generic id, so that it learns too.
        repeat_share: episodes in which a modality may occur more than once.
        modalities: draw exactly these; otherwise a random subset a set.
    """
    names = list(pools)
    dim = next(iter(pools.values())).clean.shape[1]
    episodes = Episodes(
        np.zeros((count, max_sensors, dim), np.float32),
        np.zeros((count, max_sensors), np.float32),
        np.zeros((count, max_sensors), np.float32),
        np.zeros((count, max_sensors), np.int64),
        np.zeros((count, max_sensors), np.float32),
        np.zeros(count, np.int64),
        np.zeros((count, max_sensors), bool),
    )
    rows_of = {m: {k: np.flatnonzero(p.labels == k) for k in np.unique(p.labels)} for m, p in pools.items()}
    classes = (
        sorted(set().union(*rows_of.values()))
        if modalities is None
        else sorted(set.intersection(*(set(rows_of[m]) for m in modalities)))
    )
    for b in range(count):
        label = classes[rng.integers(len(classes))]
        chosen = (
            _choose(names, rows_of, label, max_sensors, repeat_share, rng)
            if modalities is None
            else list(modalities)
        )
        bad = _choose_bad(len(chosen), bad_share, rng)
        for n, modality in enumerate(chosen):
            embedding, evidence, quality = _draw(
                pools[modality], rows_of[modality], label, n in bad, stuck_share, rng
            )
            episodes.embeddings[b, n], episodes.evidence[b, n], episodes.quality[b, n] = (
                embedding,
                evidence,
                quality,
            )
            # What the signal checks refuse never reaches fusion.
            episodes.mask[b, n] = quality > 0
            hidden = rng.random() < generic_share
            episodes.modality[b, n] = len(names) if hidden else names.index(modality)
        episodes.labels[b] = label
        episodes.bad[b, list(bad)] = True
    return episodes


def _choose(
    names: list[str],
    rows_of: Mapping[str, Mapping[int, NDArray[np.intp]]],
    label: int,
    most: int,
    repeat_share: float,
    rng: np.random.Generator,
) -> list[str]:
    able = [m for m in names if label in rows_of[m]]
    if rng.random() < repeat_share:
        return [able[i] for i in rng.integers(0, len(able), rng.integers(1, most + 1))]
    size = rng.integers(1, min(most, len(able)) + 1)
    return [able[i] for i in rng.permutation(len(able))[:size]]


def _choose_bad(size: int, bad_share: float, rng: np.random.Generator) -> set[int]:
    if size < 2 or rng.random() >= bad_share:
        return set()
    return set(rng.permutation(size)[: rng.integers(1, max(2, size // 2 + 1))].tolist())


def _draw(
    pool: Pool,
    rows: Mapping[int, NDArray[np.intp]],
    label: int,
    bad: bool,
    stuck_share: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], float, float]:
    if bad and rng.random() < stuck_share and len(rows) > 1:
        others = [k for k in rows if k != label]
        label, bad = others[rng.integers(len(others))], False
    row = rows[label][rng.integers(len(rows[label]))]
    if not bad:
        return pool.clean[row], float(pool.clean_evidence[row]), 1.0
    version = rng.integers(pool.corrupted.shape[1])
    return (
        pool.corrupted[row, version],
        float(pool.corrupted_evidence[row, version]),
        float(pool.corrupted_quality[row, version]),
    )
