"""Tables of a comparison of fusion rules (plain data): by condition, size, subset, kind of corruption."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.evaluation.comparison import ADAPTIVE, CONDITIONS, Outcomes

STEPS = 5
"""Bins over the strength of corruption, 0 to 1."""


def accuracies(outcomes: Iterable[Outcomes]) -> dict[str, float]:
    """Accuracy by rule; empty if there is no set."""
    found = [o for o in outcomes if len(o.labels)]
    if not found:
        return {}
    return {
        rule: _rounded(np.concatenate([o.correct[rule] for o in found]).mean()) for rule in found[0].correct
    }


def subset_table(outcomes: list[Outcomes]) -> list[dict[str, Any]]:
    """A row per subset: accuracy by rule under each condition and each kind of corruption.

    `pairs` is true if all of its sets are true pairs, each of one moment.
    """
    table = []
    for subset in dict.fromkeys(o.subset for o in outcomes):
        own = [o for o in outcomes if o.subset == subset]
        clean = next(o for o in own if o.condition == "clean")
        row: dict[str, Any] = {
            "modalities": list(subset),
            "accuracy": _rounded(clean.correct[ADAPTIVE].mean()),
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
    """Accuracy by rule over all subsets of two or more modalities; every set has the same weight.

    `cut` is the relative reduction of errors by adaptive fusion, compared with the best static rule.

    Args:
        static: names of the rules without training.
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
    """A row per kind of corruption: accuracy by rule, and by strength; share of sets that fail the checks."""
    table = []
    keys = dict.fromkeys((o.bad, o.kind) for o in outcomes if o.condition == "corrupted")
    for bad, kind in keys:
        same = [o for o in outcomes if (o.bad, o.kind) == (bad, kind)]
        strength, share = (np.concatenate([getattr(o, name) for o in same]) for name in ("strength", "share"))
        correct = {rule: np.concatenate([o.correct[rule] for o in same]) for rule in same[0].correct}
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
                            rule: _rounded(values[step == s].mean()) for rule, values in correct.items()
                        },
                    }
                    for s in range(STEPS)
                    if (step == s).any()
                ],
            }
        )
    return table


def size_table(outcomes: list[Outcomes], seed: int, replicates: int = 400) -> list[dict[str, Any]]:
    """Clean sets by number of modalities: accuracy by rule, and adaptive fusion minus the best other rule.

    The 95 % interval comes from a paired bootstrap over recordings (Efron 1979): recordings of each modality
    are drawn with replacement, and the weight of a set is the product of how often its recordings were drawn.
    Where sets are true pairs, moments are drawn instead.
    """
    clean = [o for o in outcomes if o.condition == "clean"]
    table = []
    for size in sorted({len(o.subset) for o in clean}):
        same = [o for o in clean if len(o.subset) == size]
        scores = accuracies(same)
        rival = max((rule for rule in scores if rule != ADAPTIVE), key=lambda rule: scores[rule])
        gaps = [o.correct[ADAPTIVE].astype(float) - o.correct[rival] for o in same]
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
