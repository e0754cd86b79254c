"""Rules of fusion compared set by set: every subset of modalities, clean, one sensor corrupted, one stuck.

The same sets are judged under every condition and by every rule, so that differences are paired. A set counts
where the bad sensor gets past the signal checks and another one is live: what they refuse harms no rule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from omnibind_ros.host.evaluation.pools import Pool
from omnibind_ros.host.evaluation.rules import Rule
from omnibind_ros.host.evaluation.sensor_sets import Episodes, SubsetDraw, draw_subset

ADAPTIVE = "adaptive fusion"
CONDITIONS = ("clean", "corrupted", "stuck")
LEAST_FOR_STUCK = 3
"""Of two sensors that contradict each other nobody can say which one is stuck."""

STEPS = 5
"""Strengths of corruption are reported in that many bins over 0 to 1."""

Fuse = Callable[[Episodes], tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Sets -> scores [B, K] and weights [B, N] of adaptive fusion."""


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What became of B sets under one condition.

    Attributes:
        subset: the modalities.
        condition: one of `CONDITIONS`; bad, kind: the bad sensor's modality and corruption, "" if clean.
        labels, answers: int64 [B], the truth and what adaptive fusion answered.
        right: by rule, bool [B].
        scores: float32 [B, K], of adaptive fusion.
        live: int64 [B], how many sensors the checks let pass.
        strength, share: float32 [B], of the corruption, and the bad sensor's weight times the number of live
            sensors: 1 is its equal share.
        rows: int64 [B, n], the recordings; moments: str [B], that of a true pair, else "".
        drawn: sets before those were left out that do not count.
    """

    subset: tuple[str, ...]
    condition: str
    bad: str
    kind: str
    labels: NDArray[np.int64]
    answers: NDArray[np.int64]
    right: dict[str, NDArray[np.bool_]]
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
    """Judge every subset under every condition.

    Args:
        pools: by modality, in the order of the ids that `fuse` and `rules` know, for clean sets.
        corrupted: the same modalities, with corrupted versions.
    """
    subsets = [s for n in range(1, len(pools) + 1) for s in combinations(pools, n)]
    outcomes = []
    for subset in track(subsets, "fusing every subset", transient=True):
        # A seed of its own for each subset: adding a modality leaves the others' sets as they were.
        rng = np.random.default_rng([seed, *(ord(c) for c in "+".join(subset))])
        draw = draw_subset(pools, subset, clean_per_class, rng)
        if draw is None:
            continue
        outcomes.append(_judge(draw.clean(), draw, subset, "clean", None, "", fuse, rules))
        few = draw_subset(corrupted, subset, bad_per_class, rng)
        if len(subset) < 2 or few is None:
            continue
        for sensor, modality in enumerate(subset):
            for number in np.unique(corrupted[modality].kind[corrupted[modality].kind > 0]):
                corruption = corrupted[modality].kinds[number - 1]
                sets = few.corrupted(sensor, number, rng)
                outcomes.append(_judge(sets, few, subset, "corrupted", sensor, corruption, fuse, rules))
            if len(subset) >= LEAST_FOR_STUCK:
                sets = few.stuck(sensor, rng)
                outcomes.append(_judge(sets, few, subset, "stuck", sensor, "stuck", fuse, rules))
    return outcomes


def _judge(
    sets: Episodes,
    draw: SubsetDraw,
    subset: tuple[str, ...],
    condition: str,
    sensor: int | None,
    kind: str,
    fuse: Fuse,
    rules: Mapping[str, Rule],
) -> Outcomes:
    drawn, rows, moments = len(sets), draw.rows, draw.moments
    if sensor is not None:
        counts = sets.bad[:, sensor] & (sets.mask[:, sensor] > 0) & (sets.mask.sum(axis=1) >= 2)
        sets, rows, moments = sets.where(counts), rows[counts], moments[counts]
    scores, weights = fuse(sets)
    answers = scores.argmax(axis=1) if len(sets) else np.zeros(0, np.int64)
    right = {ADAPTIVE: answers == sets.labels}
    for name, rule in rules.items():
        right[name] = rule(sets).argmax(axis=1) == sets.labels if len(sets) else np.zeros(0, bool)
    live = sets.mask.sum(axis=1).astype(np.int64)
    column = sensor or 0
    return Outcomes(
        subset,
        condition,
        "" if sensor is None else subset[sensor],
        kind,
        sets.labels,
        answers,
        right,
        scores,
        live,
        sets.strength[:, column],
        weights[:, column] * live,
        rows,
        moments,
        drawn,
    )


# -------- tables


def accuracies(outcomes: Iterable[Outcomes]) -> dict[str, float]:
    """Share of right answers by rule; empty without any set."""
    found = [o for o in outcomes if len(o.labels)]
    if not found:
        return {}
    return {rule: _rounded(np.concatenate([o.right[rule] for o in found]).mean()) for rule in found[0].right}


def subset_table(outcomes: list[Outcomes]) -> list[dict[str, Any]]:
    """A row per subset: accuracy by rule under each condition, and under each kind of corruption.

    `pairs` says that its sets are true pairs, one moment each, and not merely of one class.
    """
    table = []
    for subset in dict.fromkeys(o.subset for o in outcomes):
        own = [o for o in outcomes if o.subset == subset]
        clean = next(o for o in own if o.condition == "clean")
        row: dict[str, Any] = {
            "modalities": list(subset),
            "accuracy": _rounded(clean.right[ADAPTIVE].mean()),
            "n": len(clean.labels),
            "pairs": bool((clean.moments != "").all()),
        }
        for condition in CONDITIONS:
            judged = [o for o in own if o.condition == condition]
            row[condition] = {"n": sum(len(o.labels) for o in judged), "accuracy": accuracies(judged)}
        row["kinds"] = {
            f"{o.bad}/{o.kind}": {"n": len(o.labels), "accuracy": accuracies([o])}
            for o in own
            if o.condition == "corrupted" and len(o.labels)
        }
        table.append(row)
    return table


def condition_table(outcomes: list[Outcomes], static: Collection[str]) -> dict[str, Any]:
    """Subsets of two or more (stuck: three or more): accuracy by rule, every set weighing the same.

    `cut` is the share of the errors of the best rule that learns nothing which adaptive fusion does not make.

    Args:
        static: names of the rules that learn nothing.
    """
    table = {}
    for condition in CONDITIONS:
        judged = [o for o in outcomes if o.condition == condition and len(o.subset) > 1]
        scores = accuracies(judged)
        if scores:
            rival = max((rule for rule in scores if rule != ADAPTIVE), key=lambda rule: scores[rule])
            plain = max(static, key=lambda rule: scores[rule])
            most = 1 - scores[plain]
            table[condition] = {
                "n": sum(len(o.labels) for o in judged),
                "accuracy": scores,
                "best_rival": rival,
                "best_static": plain,
                "cut": _rounded(1 - (1 - scores[ADAPTIVE]) / most) if most > 0 else None,
            }
    return table


def kind_table(outcomes: list[Outcomes]) -> list[dict[str, Any]]:
    """A row per kind of corruption: accuracy by rule, what the checks refused, what weight was left to it."""
    table = []
    keys = dict.fromkeys((o.bad, o.kind) for o in outcomes if o.condition == "corrupted")
    for bad, kind in keys:
        same = [o for o in outcomes if (o.bad, o.kind) == (bad, kind)]
        strength, share = (np.concatenate([getattr(o, name) for o in same]) for name in ("strength", "share"))
        right = {rule: np.concatenate([o.right[rule] for o in same]) for rule in same[0].right}
        step = np.minimum((strength * STEPS).astype(int), STEPS - 1)
        table.append(
            {
                "modality": bad,
                "kind": kind,
                "n": len(strength),
                "refused": _rounded(1 - len(strength) / max(1, sum(o.drawn for o in same))),
                "accuracy": accuracies(same),
                "by_strength": [
                    {
                        "strength": (s + 0.5) / STEPS,
                        "n": int((step == s).sum()),
                        "share": _rounded(share[step == s].mean()),
                        "accuracy": {
                            rule: _rounded(values[step == s].mean()) for rule, values in right.items()
                        },
                    }
                    for s in range(STEPS)
                    if (step == s).any()
                ],
            }
        )
    return table


def size_table(outcomes: list[Outcomes], seed: int, replicates: int = 400) -> list[dict[str, Any]]:
    """Clean sets by number of modalities: accuracy by rule, and adaptive fusion minus the best other one.

    The interval is of a paired bootstrap over recordings (Efron 1979): recordings of each modality are drawn
    with replacement, and a set counts as often as all of its recordings together were drawn; where sets are
    true pairs, moments are drawn.
    """
    clean = [o for o in outcomes if o.condition == "clean"]
    table = []
    for size in sorted({len(o.subset) for o in clean}):
        same = [o for o in clean if len(o.subset) == size]
        scores = accuracies(same)
        rival = max((rule for rule in scores if rule != ADAPTIVE), key=lambda rule: scores[rule])
        gaps = [o.right[ADAPTIVE].astype(float) - o.right[rival] for o in same]
        low, high = _bootstrap(same, gaps, np.random.default_rng([seed, size]), replicates)
        table.append(
            {
                "modalities": size,
                "subsets": len(same),
                "n": sum(len(o.labels) for o in same),
                "accuracy": scores,
                "best_rival": rival,
                "gap": _rounded(scores[ADAPTIVE] - scores[rival]),
                "gap_95": [_rounded(low), _rounded(high)],
            }
        )
    return table


def _bootstrap(
    outcomes: list[Outcomes], gaps: list[NDArray[np.floating]], rng: np.random.Generator, replicates: int
) -> tuple[float, float]:
    last: dict[str, int] = {}
    for o in outcomes:
        for column, modality in enumerate(o.subset):
            last[modality] = max(last.get(modality, 0), int(o.rows[:, column].max()))
    names, place = np.unique(np.concatenate([o.moments for o in outcomes]), return_inverse=True)
    moment_of = np.split(place, np.cumsum([len(o.moments) for o in outcomes])[:-1])
    true_pairs = len(names) > 1 or names[0] != ""
    means = []
    for _ in range(replicates):
        drawn = {m: rng.multinomial(n + 1, np.full(n + 1, 1 / (n + 1))) for m, n in last.items()}
        moments = rng.multinomial(len(names), np.full(len(names), 1 / len(names))) if true_pairs else None
        weighted, total = 0.0, 0.0
        for o, gap, moment in zip(outcomes, gaps, moment_of, strict=True):
            weight = np.ones(len(gap))
            for column, modality in enumerate(o.subset):
                weight *= drawn[modality][o.rows[:, column]]
            if moments is not None:
                weight = np.where(o.moments != "", moments[moment], weight)
            weighted, total = weighted + float(weight @ gap), total + float(weight.sum())
        means.append(weighted / max(total, 1e-9))
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def _rounded(value: Any) -> float:
    return round(float(value), 5)
