"""Fits temperature scaling and the threshold of `unknown` to held-back recordings, and measures calibration.

Formulas: Guo et al., On Calibration of Modern Neural Networks, arXiv 1706.04599.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.bundle.temperature_scaling import softmax


def fit_scale(
    cosines: NDArray[np.floating], labels: NDArray[np.integer], bounds: tuple[float, float] = (0.1, 1000.0)
) -> float:
    """The scale with the least negative log-likelihood of `labels` under softmax(scale x cosines).

    The log-likelihood is concave in the scale, so its slope, mean(cosine of the label - expected cosine), is
    bisected. Without any error among M recordings there would be no finite optimum, although M recordings do
    not prove an error rate of 0: a share 1 / (M + 2) of each label is spread evenly over all classes (Platt,
    Probabilistic Outputs for Support Vector Machines, 1999).

    Args:
        cosines: [M, K].
        labels: int [M], the true class of each row.
        bounds: smallest and largest scale considered.
    """
    _check_rows(cosines, labels)
    exact = np.asarray(cosines, np.float64)
    doubt = 1 / (len(labels) + 2)
    true_cosine = (1 - doubt) * exact[np.arange(len(labels)), labels].mean() + doubt * exact.mean()
    low, high = (math.log(bound) for bound in bounds)
    while high - low > 1e-6:
        middle = (low + high) / 2
        expected = (softmax(math.exp(middle) * exact) * exact).sum(axis=1).mean()
        if true_cosine > expected:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)


def expected_calibration_error(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 15
) -> float:
    """Mean gap between confidence and accuracy over equal-width bins of confidence, weighted by their size.

    Args:
        probabilities: [M, K], rows summing to 1.
        labels: int [M].
    """
    _check_rows(probabilities, labels)
    confidence = probabilities.max(axis=1)
    gap = confidence - (probabilities.argmax(axis=1) == labels)
    bin_of_row = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(bin_of_row, weights=gap, minlength=bins)).sum() / len(labels))


def fit_unknown_threshold(
    known_scores: NDArray[np.floating],
    unknown_scores: NDArray[np.floating],
    max_known_refused: float = 0.05,
) -> float:
    """The threshold that separates known from unknown best, refusing at most a given share of the known.

    It maximises the share of known scores at or above it minus the share of unknown scores at or above it
    (Youden's J), and lies in the middle of the gap between two scores.

    Args:
        known_scores: [M] best calibrated probability of samples of the classes.
        unknown_scores: [L] the same of samples of none of the classes; may be empty.
        max_known_refused: largest share of known samples below the threshold, 0 to 1.

    Raises:
        ValueError: no known scores.
    """
    known, unknown = np.sort(known_scores), np.sort(unknown_scores)
    if not len(known):
        raise ValueError("an unknown threshold cannot be fitted without scores of known samples")
    edges = np.unique(np.concatenate([[0.0], known, unknown]))
    known_refused = np.searchsorted(known, edges) / len(known)
    unknown_refused = np.searchsorted(unknown, edges) / max(len(unknown), 1)
    gain = np.where(known_refused <= max_known_refused, unknown_refused - known_refused, -np.inf)
    best = int(gain.argmax())
    return float((edges[max(best - 1, 0)] + edges[best]) / 2)


def _check_rows(values: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
    if values.ndim != 2 or not len(values) or labels.shape != (len(values),):
        raise ValueError(
            f"need [M, K] values and [M] labels with M > 0; got {values.shape} and {labels.shape}"
        )
