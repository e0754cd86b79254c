"""From the probabilities of the labels to the ranked answer, `unknown` included.

The best label's probability b is compared with a threshold t. With b >= t the answer is that label, and every
score is the label's calibrated probability. With b < t the answer is `unknown`, which competes with the
labels: it weighs (1 - b) t / (1 - t), they weigh their probabilities, and scores are shares of all weights:

    p(unknown) = (1 - b) t / (1 - t + (1 - b) t)        p(label) = (1 - p(unknown)) x calibrated probability

So the odds of `unknown` against the best label are the odds against that label at b, divided by those at t:
level exactly at the threshold, above it for any b < t. Scores never sum to more than 1 and always descend.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.types import UNKNOWN, LabelScore


def rank(
    probabilities: NDArray[np.float64], names: Sequence[str], *, top_k: int, unknown_threshold: float
) -> tuple[LabelScore, ...]:
    """The best labels, best first; before them `unknown` if the best is below the threshold.

    Args:
        probabilities: float64 [K], summing to 1.
        names: of the K labels.
        top_k: labels to return, at least 1, not counting `unknown`.
        unknown_threshold: 0 to 1.
    """
    order = _largest(probabilities, top_k)
    best = float(probabilities[order[0]])
    if best >= unknown_threshold:
        return tuple(LabelScore(names[k], float(probabilities[k])) for k in order)
    unknown = probability_of_unknown(best, unknown_threshold)
    known = 1 - unknown
    labels = (LabelScore(names[k], known * float(probabilities[k])) for k in order)
    # Rounding must not put a label that is as likely before it.
    return LabelScore(UNKNOWN, max(unknown, known * best)), *labels


def probability_of_unknown(best: float, threshold: float) -> float:
    """p(unknown) where the best label's probability is below the threshold."""
    weight = (1 - best) * threshold
    return weight / (1 - threshold + weight)


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Indices of the largest values, largest first, equal ones in their order; no more than there are."""
    count = min(max(1, count), len(values))
    some = np.argpartition(-values, count - 1)[:count]
    return some[np.lexsort((some, -values[some]))]
