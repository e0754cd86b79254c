"""Comparison of fusion rules: every subset of modalities, clean, with one sensor corrupted, with one stuck.

The same sets are judged by every rule, so that differences are paired. A set with a bad sensor counts only if
that sensor passes the signal checks and another one is live; what fails the checks affects no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from omnibind_ros.host.evaluation.pools import Pool
from omnibind_ros.host.evaluation.rules import Rule
from omnibind_ros.host.evaluation.sensor_sets import SensorSets, SubsetDraw, draw_subset

ADAPTIVE = "adaptive fusion"
CONDITIONS = ("clean", "corrupted", "stuck")
LEAST_FOR_STUCK = 3
"""Smallest set with a stuck sensor: which of two contradictory sensors is stuck cannot be known."""

Fuse = Callable[[SensorSets], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Adaptive fusion: sensor sets -> scores float32 [B, K] and weights float32 [B, N]."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Answers to B sets of one subset of modalities under one condition.

    Attributes:
        subset: the n modalities.
        condition: one of `CONDITIONS`.
        bad, kind: modality and corruption of the bad sensor; "" if all are clean.
        labels, answers: int64 [B], the true class and the answer of adaptive fusion.
        correct: by rule, bool [B].
        scores: float32 [B, K], of adaptive fusion.
        live: int64 [B], number of live sensors.
        strength: float32 [B], of the corruption.
        share: float32 [B], the bad sensor's weight times the number of live sensors; 1 is an equal share.
        rows: int64 [B, n], the recording of each sensor.
        moments: str [B], the moment of a true pair, else "".
        drawn: number of sets including those that do not count.
    """

    subset: tuple[str, ...]
    condition: str
    bad: str
    kind: str
    labels: NDArray[np.int64]
    answers: NDArray[np.int64]
    correct: dict[str, NDArray[np.bool_]]
    scores: NDArray[np.float32]
    live: NDArray[np.int64]
    strength: NDArray[np.float32]
    share: NDArray[np.float32]
    rows: NDArray[np.int64]
    moments: NDArray[np.str_]
    drawn: int


def compare(
    pools: Mapping[str, Pool],
    corrupted: Mapping[str, Pool],
    fuse: Fuse,
    rules: Mapping[str, Rule],
    *,
    clean_per_class: int,
    bad_per_class: int,
    seed: int,
) -> list[Outcomes]:
    """Apply every rule to every subset under every condition.

    Args:
        pools: for clean sets, by modality in the order of the modality ids of `fuse` and `rules`.
        corrupted: for sets with a bad sensor; the same modalities, with corrupted versions.
        clean_per_class, bad_per_class: sets per subset and class; bad ones also per sensor and corruption.
    """
    subsets = [s for n in range(1, len(pools) + 1) for s in combinations(pools, n)]
    outcomes = []
    for subset in track(subsets, "fusing every subset", transient=True):
        # A seed per subset: another modality in the pools does not change the sets of the others.
        rng = np.random.default_rng([seed, *(ord(c) for c in "+".join(subset))])
        draw = draw_subset(pools, subset, clean_per_class, rng)
        if draw is None:
            continue
        judge = partial(_judge, fuse, rules, subset)
        outcomes.append(judge(draw.clean(), draw))
        few = draw_subset(corrupted, subset, bad_per_class, rng)
        if len(subset) < 2 or few is None:
            continue
        for sensor, modality in enumerate(subset):
            for number in np.unique(corrupted[modality].kind[corrupted[modality].kind > 0]):
                corruption = corrupted[modality].kinds[number - 1]
                sets = few.corrupted(sensor, number, rng)
                outcomes.append(judge(sets, few, "corrupted", sensor, corruption))
            if len(subset) >= LEAST_FOR_STUCK:
                outcomes.append(judge(few.stuck(sensor, rng), few, "stuck", sensor, "stuck"))
    return outcomes


def _judge(
    fuse: Fuse,
    rules: Mapping[str, Rule],
    subset: tuple[str, ...],
    sets: SensorSets,
    draw: SubsetDraw,
    condition: str = "clean",
    sensor: int | None = None,
    kind: str = "",
) -> Outcomes:
    """Apply every rule to sets of a subset; `sensor` is the number of the bad one."""
    drawn, rows, moments = len(sets), draw.rows, draw.moments
    if sensor is not None:
        counts = sets.bad[:, sensor] & (sets.mask[:, sensor] > 0) & (sets.mask.sum(axis=1) >= 2)
        sets, rows, moments = sets.where(counts), rows[counts], moments[counts]
    scores, weights = fuse(sets)
    answers = scores.argmax(axis=1) if len(sets) else np.zeros(0, np.int64)
    correct = {ADAPTIVE: answers == sets.labels}
    for name, rule in rules.items():
        correct[name] = rule(sets).argmax(axis=1) == sets.labels if len(sets) else np.zeros(0, bool)
    live = sets.mask.sum(axis=1).astype(np.int64)
    column = sensor or 0
    return Outcomes(
        subset,
        condition,
        "" if sensor is None else subset[sensor],
        kind,
        sets.labels,
        answers,
        correct,
        scores,
        live,
        sets.strength[:, column],
        weights[:, column] * live,
        rows,
        moments,
        drawn,
    )
