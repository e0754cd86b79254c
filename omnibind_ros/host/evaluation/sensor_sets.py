"""Sensor sets: recordings of several sensors that show the same class, to train and judge fusion on.

Where recordings have true pairs, a set is of one moment. Data that is aligned by class only has none; a set
then combines one recording per sensor, drawn from the same class. Some sensors of a set are bad: corrupted on
the raw level, or stuck (they show a recording of another class, as if it were from before).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.evaluation.pools import NO_LABEL, Pool

_ABSENT = -1


@dataclass(frozen=True, eq=False)
class SensorSets:
    """A batch of B sets, padded to N sensors.

    Attributes:
        embeddings: float32 [B, N, D], unit norm; zero where `mask` is 0.
        evidence, quality: float32 [B, N].
        modality: int64 [B, N], modality id.
        mask: float32 [B, N], 1 for a live sensor.
        labels: int64 [B].
        bad: bool [B, N], the corrupted and stuck sensors.
        strength: float32 [B, N], of the corruption; 0 where there is none.
    """

    embeddings: NDArray[np.float32]
    evidence: NDArray[np.float32]
    quality: NDArray[np.float32]
    modality: NDArray[np.int64]
    mask: NDArray[np.float32]
    labels: NDArray[np.int64]
    bad: NDArray[np.bool_]
    strength: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> SensorSets:
        """A batch of some of the sets."""
        return SensorSets(**{name: values[keep] for name, values in vars(self).items()})


@dataclass(frozen=True, eq=False)
class _Draw:
    """Version and recording of each sensor, all int64 [B, N]; `_ABSENT` as modality pads a set."""

    labels: NDArray[np.int64]
    modality: NDArray[np.int64]
    row: NDArray[np.int64]
    version: NDArray[np.int64]
    bad: NDArray[np.bool_]


def draw_sets(
    pools: Mapping[str, Pool],
    count: int,
    max_sensors: int,
    rng: np.random.Generator,
    *,
    bad_share: float = 0.5,
    stuck_share: float = 0.2,
    generic_share: float = 0.1,
    repeat_share: float = 0.3,
) -> SensorSets:
    """Draw `count` sets of one class each and of random modalities.

    Where pairs allow, all sensors of a set show the moment of its first healthy sensor. A second sensor of
    the same modality shows another recording of the class, because the same recording would agree with
    itself.

    Args:
        pools: by modality, in the order of the modality ids.
        max_sensors: size N of the largest set.
        bad_share: share of the sets of two or more sensors in which one to half of the sensors are bad.
        stuck_share: share of the bad sensors that are stuck; the others are corrupted.
        generic_share: share of the sensors that get the generic modality id, so that it is trained as well.
        repeat_share: share of the sets in which a modality may occur more than once.
    """
    rows_of = _rows_by_class(pools)
    able = np.array([[bool(len(rows)) for rows in by_class] for by_class in rows_of])  # [M, K]
    classes = np.flatnonzero(able.any(axis=0))
    labels = classes[rng.integers(len(classes), size=count)]
    modality = _choose_modalities(able[:, labels].T, max_sensors, repeat_share, rng)
    sizes = (modality != _ABSENT).sum(axis=1)
    bad = _choose_bad(sizes, max_sensors, bad_share, rng)
    stuck = bad & (rng.random(bad.shape) < stuck_share)
    shown = np.where(stuck, _another_class(able, modality, labels, rng), labels[:, None])
    row, version = np.zeros_like(modality), np.zeros_like(modality)
    for m, pool in enumerate(pools.values()):
        corruptible = pool.embeddings.shape[1] > 1
        here = (modality == m) & bad & ~stuck
        bad[here] = corruptible
        if corruptible:
            version[here] = rng.integers(1, pool.embeddings.shape[1], here.sum())
        for k, rows in enumerate(rows_of[m]):
            here = (modality == m) & (shown == k)
            if here.any():
                row[here] = rows[rng.integers(len(rows), size=here.sum())]
    row = _of_one_moment(_Moments(pools), modality, row, stuck)
    sets = _gather(list(pools.values()), _Draw(labels, modality, row, version, bad))
    sets.modality[rng.random(bad.shape) < generic_share] = len(pools)
    return sets


def draw_subset(
    pools: Mapping[str, Pool], subset: Sequence[str], per_class: int, rng: np.random.Generator
) -> SubsetDraw | None:
    """Draw sets of exactly these modalities, `per_class` of each class that all of them have.

    Where all modalities recorded the same moments of a class, each of its sets is one moment. A moment is
    used once, because it would give the same set again, so there may be fewer than `per_class` sets.

    Returns:
        None if the modalities have no class in common.
    """
    chosen = {m: pools[m] for m in subset}
    rows_of, seen = _rows_by_class(chosen), _Moments(chosen)
    labels, rows, moments = [], [], []
    for k in range(len(rows_of[0])):
        together = np.flatnonzero((seen.row >= 0).all(axis=0) & (seen.labels == k))
        if len(together):
            together = rng.permutation(together)[:per_class]
            rows.append(seen.row[:, together].T)
            moments.append(seen.names[together])
        elif all(len(by_class[k]) for by_class in rows_of):
            drawn = [by_class[k][rng.integers(len(by_class[k]), size=per_class)] for by_class in rows_of]
            rows.append(np.stack(drawn, axis=1))
            moments.append(np.full(per_class, ""))
        else:
            continue
        labels.append(np.full(len(rows[-1]), k))
    if not labels:
        return None
    ids = np.array([list(pools).index(m) for m in subset])
    return SubsetDraw(
        list(chosen.values()),
        ids,
        np.concatenate(labels),
        np.concatenate(rows),
        np.concatenate(moments),
        rows_of,
    )


@dataclass(frozen=True, eq=False)
class SubsetDraw:
    """B sets that are shown clean or with one sensor bad, so that comparisons are paired.

    Attributes:
        pools: of the n modalities.
        ids: int64 [n], their modality ids.
        labels: int64 [B].
        rows: int64 [B, n], the recording of each sensor.
        moments: str [B], the moment that all sensors show; "" if the set is combined by class.
        rows_of: rows of each modality and class that pass the signal checks.
    """

    pools: Sequence[Pool]
    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    moments: NDArray[np.str_]
    rows_of: list[list[NDArray[np.int64]]]

    def clean(self) -> SensorSets:
        """The sets with all sensors healthy."""
        return self._gather(self.rows, np.zeros_like(self.rows), None, False)

    def corrupted(self, sensor: int, kind: int, rng: np.random.Generator) -> SensorSets:
        """The sets with corruption `kind` (see `Pool.kind`), at any strength, of sensor number `sensor`.

        A recording without such a version is shown as it is and is not `bad`.
        """
        pool, version = self.pools[sensor], np.zeros_like(self.rows)
        of_kind = pool.kind[self.rows[:, sensor]] == kind  # [B, V]
        lottery = rng.random(of_kind.shape) * of_kind
        version[:, sensor] = lottery.argmax(axis=1)
        return self._gather(self.rows, version, sensor, of_kind.any(axis=1))

    def stuck(self, sensor: int, rng: np.random.Generator) -> SensorSets:
        """The sets with sensor number `sensor` showing a recording of another class."""
        rows, of = self.rows.copy(), self.rows_of[sensor]
        able = np.array([bool(len(r)) for r in of])
        shown = _another_class(able[None], np.zeros((len(rows), 1), np.int64), self.labels, rng)[:, 0]
        for k in np.unique(shown):
            here = shown == k
            rows[here, sensor] = of[k][rng.integers(len(of[k]), size=here.sum())]
        return self._gather(rows, np.zeros_like(rows), sensor, True)

    def _gather(
        self,
        rows: NDArray[np.int64],
        version: NDArray[np.int64],
        sensor: int | None,
        bad: NDArray[np.bool_] | bool,
    ) -> SensorSets:
        is_bad = np.zeros(rows.shape, bool)
        if sensor is not None:
            is_bad[:, sensor] = bad
        local = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
        sets = _gather(self.pools, _Draw(self.labels, local, rows, version, is_bad))
        sets.modality[:] = self.ids
        return sets


def _rows_by_class(pools: Mapping[str, Pool]) -> list[list[NDArray[np.int64]]]:
    """Rows of each modality and class, of recordings that pass the signal checks."""
    classes = 1 + max((int(p.labels.max(initial=NO_LABEL)) for p in pools.values()), default=NO_LABEL)
    return [
        [np.flatnonzero((p.labels == k) & (p.quality[:, 0] > 0)) for k in range(classes)]
        for p in pools.values()
    ]


class _Moments:
    """The P moments, and their recordings that pass the signal checks.

    Attributes:
        names, labels: str [P] and int64 [P].
        row: int64 [M, P], the recording of each modality; -1 if it has none.
        of: for each modality int64 [N], the moment of each recording; -1 if it has none.
    """

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        # A moment with two labels, which `omnibind data check` reports, counts as two moments.
        live = [
            np.flatnonzero((p.pairs != "") & (p.labels != NO_LABEL) & (p.quality[:, 0] > 0))
            for p in pools.values()
        ]
        keys = [
            [(str(p.pairs[n]), int(p.labels[n])) for n in rows]
            for p, rows in zip(pools.values(), live, strict=True)
        ]
        index = {key: n for n, key in enumerate(dict.fromkeys(key for own in keys for key in own))}
        self.names = np.array([name for name, _ in index], np.str_)
        self.labels = np.array([label for _, label in index], np.int64)
        self.row = np.full((len(pools), len(index)), -1)
        self.of = []
        for m, pool in enumerate(pools.values()):
            moments = np.array([index[key] for key in keys[m]], np.int64)
            self.row[m, moments] = live[m]
            self.of.append(np.full(len(pool.labels), -1))
            self.of[m][live[m]] = moments


def _of_one_moment(
    seen: _Moments, modality: NDArray[np.int64], row: NDArray[np.int64], stuck: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Rows int64 [B, N] of the moment of each set's first healthy sensor; where there are none, as drawn."""
    if not len(seen.names):
        return row
    moment = np.full(row.shape, -1)
    for m, of in enumerate(seen.of):
        here = (modality == m) & ~stuck
        moment[here] = of[row[here]]
    first = np.take_along_axis(moment, (moment >= 0).argmax(axis=1)[:, None], axis=1)
    same = (modality[:, :, None] == modality[:, None, :]) & ~stuck[:, None, :]
    again = np.tril(same, -1).any(axis=2)
    then = seen.row[modality, first]
    follows = (modality != _ABSENT) & ~stuck & ~again & (first >= 0) & (then >= 0)
    return np.where(follows, then, row)


def _choose_modalities(
    able: NDArray[np.bool_], most: int, repeat_share: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Modalities int64 [B, most] of each set, padded with `_ABSENT`.

    Args:
        able: bool [B, M], the modalities that have the class.
    """
    count, modalities = able.shape
    # Without repeats: the first few in a random order; modalities that lack the class come last.
    order = np.argsort(rng.random(able.shape) + ~able, axis=1)[:, :most]
    size = 1 + (rng.random(count) * np.minimum(able.sum(axis=1), most)).astype(np.int64)
    once = np.full((count, most), _ABSENT)
    once[:, : order.shape[1]] = order
    once[np.arange(most) >= size[:, None]] = _ABSENT
    # With repeats: each sensor's modality is drawn independently.
    lottery = rng.random((count, most, modalities)) * able[:, None]
    often = lottery.argmax(axis=2)
    often[np.arange(most) >= rng.integers(1, most + 1, (count, 1))] = _ABSENT
    return np.where(rng.random((count, 1)) < repeat_share, often, once)


def _choose_bad(
    sizes: NDArray[np.int64], most: int, bad_share: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """bool [B, most]: up to half of the sensors of sets of two or more; sensors fill a set from the left."""
    several = (sizes >= 2) & (rng.random(len(sizes)) < bad_share)
    number = np.where(several, 1 + (rng.random(len(sizes)) * (sizes // 2)).astype(np.int64), 0)
    lottery = rng.random((len(sizes), most)) + (np.arange(most) >= sizes[:, None])
    rank = np.argsort(np.argsort(lottery, axis=1), axis=1)
    chosen: NDArray[np.bool_] = rank < number[:, None]
    return chosen


def _another_class(
    able: NDArray[np.bool_], modality: NDArray[np.int64], labels: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """A class int64 [B, N] that the modality has, other than the label if possible.

    Args:
        able: bool [M, K], the classes that each modality has.
    """
    lottery = rng.random((*modality.shape, able.shape[1])) * able[modality]
    lottery[np.arange(len(labels)), :, labels] *= 1e-6
    return np.asarray(lottery.argmax(axis=2))


def _gather(pools: Sequence[Pool], draw: _Draw) -> SensorSets:
    shape = draw.modality.shape
    sets = SensorSets(
        np.zeros((*shape, pools[0].embeddings.shape[2]), np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
        np.maximum(draw.modality, 0),
        np.zeros(shape, np.float32),
        draw.labels,
        draw.bad & (draw.modality != _ABSENT),
        np.zeros(shape, np.float32),
    )
    for m, pool in enumerate(pools):
        here = draw.modality == m
        row, version = draw.row[here], draw.version[here]
        sets.embeddings[here] = pool.embeddings[row, version]
        sets.evidence[here] = pool.evidence[row, version]
        sets.quality[here] = pool.quality[row, version]
        sets.strength[here] = pool.strength[row, version]
    # What fails the signal checks never reaches fusion.
    sets.mask[:] = (draw.modality != _ABSENT) & (sets.quality > 0)
    refused = sets.mask == 0
    sets.embeddings[refused], sets.evidence[refused] = 0.0, 0.0
    return sets
