"""Episodes for fusion: sets of sensors that show the same class, drawn from recordings of every modality.

Where recordings have true pairs, a set is of one moment. There are none in data that is aligned by class
only: a set is then put together by drawing one recording per sensor from the same class. Some sensors are
corrupted on the raw level, some are stuck on what they saw before (a recording of another class).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.evaluation.pools import NO_LABEL, Pool

_ABSENT = -1


@dataclass(frozen=True, eq=False)
class Episodes:
    """A batch of B sets, padded to N sensors.

    Attributes:
        embeddings: float32 [B, N, D]; evidence, quality, mask: float32 [B, N]; modality: int64 [B, N].
        labels: int64 [B].
        bad: bool [B, N], the corrupted or stuck sensors.
        strength: float32 [B, N] of the corruption; 0 where there is none.
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

    def where(self, keep: NDArray[np.bool_] | NDArray[np.intp]) -> Episodes:
        """Some of the sets."""
        return Episodes(**{name: values[keep] for name, values in vars(self).items()})


def join(parts: Sequence[Episodes]) -> Episodes:
    """Batches of sets of the same size, one after the other."""
    return Episodes(**{name: np.concatenate([getattr(p, name) for p in parts]) for name in vars(parts[0])})


@dataclass(frozen=True, eq=False)
class _Draw:
    """Which version of which recording each sensor shows: all int64 [B, N], modality `_ABSENT` = none."""

    labels: NDArray[np.int64]
    modality: NDArray[np.int64]
    row: NDArray[np.int64]
    version: NDArray[np.int64]
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
) -> Episodes:
    """Draw `count` sets of one class each, of random modalities.

    A set is of the moment that its first healthy sensor shows, as far as the others saw it. A second sensor
    of the same modality shows another recording of the class: that moment's would agree with itself.

    Args:
        pools: by modality, in the order of the fusion model's ids.
        bad_share: episodes in which at least one of two or more sensors is bad, up to half of them.
        stuck_share: of the bad sensors, how many are stuck rather than corrupted.
        generic_share: sensors whose modality is hidden behind the generic id, so that it learns too.
        repeat_share: episodes in which a modality may occur more than once.
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
    episodes = _gather(list(pools.values()), _Draw(labels, modality, row, version, bad))
    episodes.modality[rng.random(bad.shape) < generic_share] = len(pools)
    return episodes


def draw_subset(
    pools: Mapping[str, Pool], subset: Sequence[str], per_class: int, rng: np.random.Generator
) -> SubsetDraw | None:
    """Sets of exactly these modalities, `per_class` of each class that all have; None if there is none.

    Of a class of which all saw the same moments, a set is one of them. Each is shown at most once, since it
    would be the same set again, so there may be fewer than `per_class`.
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
    """The same sets, clean or with one of their sensors bad: what is compared is paired.

    Attributes:
        pools: of the n modalities, whose ids are `ids` [n].
        labels: [B]; rows: [B, n], which recording each sensor shows.
        moments: str [B], the moment that all of them show; "" is put together by class.
    """

    pools: Sequence[Pool]
    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    rows: NDArray[np.int64]
    moments: NDArray[np.str_]
    rows_of: list[list[NDArray[np.int64]]]

    def clean(self) -> Episodes:
        """Nothing is wrong."""
        return self._gather(self.rows, np.zeros_like(self.rows), None, False)

    def corrupted(self, sensor: int, kind: int, rng: np.random.Generator) -> Episodes:
        """Sensor number `sensor` suffers from corruption `kind` (see `Pool.kind`), at any strength.

        A recording without such a version is shown as it is, and is not `bad`.
        """
        pool, version = self.pools[sensor], np.zeros_like(self.rows)
        of_kind = pool.kind[self.rows[:, sensor]] == kind  # [B, V]
        lottery = rng.random(of_kind.shape) * of_kind
        version[:, sensor] = lottery.argmax(axis=1)
        return self._gather(self.rows, version, sensor, of_kind.any(axis=1))

    def stuck(self, sensor: int, rng: np.random.Generator) -> Episodes:
        """Sensor number `sensor` still shows a recording of another class."""
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
    ) -> Episodes:
        is_bad = np.zeros(rows.shape, bool)
        if sensor is not None:
            is_bad[:, sensor] = bad
        local = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
        episodes = _gather(self.pools, _Draw(self.labels, local, rows, version, is_bad))
        episodes.modality[:] = self.ids
        return episodes


def _rows_by_class(pools: Mapping[str, Pool]) -> list[list[NDArray[np.int64]]]:
    """Rows of each modality and class, of recordings that the signal checks let pass."""
    classes = 1 + max((int(p.labels.max(initial=NO_LABEL)) for p in pools.values()), default=NO_LABEL)
    return [
        [np.flatnonzero((p.labels == k) & (p.quality[:, 0] > 0)) for k in range(classes)]
        for p in pools.values()
    ]


class _Moments:
    """Which recordings, of those that the signal checks let pass, are of one moment.

    Attributes:
        names, labels: str [P] and int64 [P], the moments and what they show.
        row: int64 [M, P], each modality's recording; -1 = it has none.
        of: for each modality int64 [N], the moment of each recording; -1 = of none.
    """

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        # One moment of two labels, which `omnibind data check` calls a contradiction, is two.
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
    """Rows [B, N] as drawn, or of the moment that the set's first healthy sensor shows."""
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
    """able [B, M] -> modality [B, most], padded with `_ABSENT`."""
    count, modalities = able.shape
    # Without repeats: the first few of a random order in which those that lack the class come last.
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
    """At most half of the sensors of a set, none of a single one; sensors fill a set from the left."""
    several = (sizes >= 2) & (rng.random(len(sizes)) < bad_share)
    number = np.where(several, 1 + (rng.random(len(sizes)) * (sizes // 2)).astype(np.int64), 0)
    lottery = rng.random((len(sizes), most)) + (np.arange(most) >= sizes[:, None])
    rank = np.argsort(np.argsort(lottery, axis=1), axis=1)
    chosen: NDArray[np.bool_] = rank < number[:, None]
    return chosen


def _another_class(
    able: NDArray[np.bool_], modality: NDArray[np.int64], labels: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """A class that the modality [B, N] has, other than the label where it can be; able is [M, K]."""
    lottery = rng.random((*modality.shape, able.shape[1])) * able[modality]
    lottery[np.arange(len(labels)), :, labels] *= 1e-6
    return np.asarray(lottery.argmax(axis=2))


def _gather(pools: Sequence[Pool], draw: _Draw) -> Episodes:
    shape = draw.modality.shape
    episodes = Episodes(
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
        episodes.embeddings[here] = pool.embeddings[row, version]
        episodes.evidence[here] = pool.evidence[row, version]
        episodes.quality[here] = pool.quality[row, version]
        episodes.strength[here] = pool.strength[row, version]
    # What the signal checks refuse never reaches fusion.
    episodes.mask[:] = (draw.modality != _ABSENT) & (episodes.quality > 0)
    refused = episodes.mask == 0
    episodes.embeddings[refused], episodes.evidence[refused] = 0.0, 0.0
    return episodes
