"""The ranked answer, and what `unknown` scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from omnibind_ros.fusion.ranking import probability_of_unknown, rank

NAMES = tuple("abcdefghij")
probabilities = (
    arrays(np.float64, 10, elements=st.floats(0, 1))
    .filter(lambda p: p.sum() > 0.01)
    .map(lambda p: p / p.sum())
)
thresholds = st.floats(0, 1)


@given(probabilities, thresholds, st.integers(1, 20))
def test_scores_are_probabilities_in_order(p: np.ndarray, threshold: float, top_k: int) -> None:
    ranked = rank(p, NAMES, top_k=top_k, unknown_threshold=threshold)
    scores = [label.score for label in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert sum(scores) <= 1 + 1e-9
    assert (ranked[0].label == "unknown") == (p.max() < threshold)
    assert len(ranked) == min(top_k, 10) + (p.max() < threshold)
    if top_k >= 10:
        assert sum(scores) == pytest.approx(1), "all that may be, `unknown` included"


@given(probabilities, thresholds)
def test_labels_keep_their_order_and_their_ratios(p: np.ndarray, threshold: float) -> None:
    labels = [
        label for label in rank(p, NAMES, top_k=10, unknown_threshold=threshold) if label.label in NAMES
    ]
    assert [label.label for label in labels] == [NAMES[k] for k in np.lexsort((np.arange(10), -p))]
    shares = np.array([p[NAMES.index(label.label)] for label in labels])
    got = np.array([label.score for label in labels])
    np.testing.assert_allclose(got, shares * got.sum() / shares.sum(), atol=1e-12)
    if p.max() >= threshold:
        np.testing.assert_array_equal(got, shares)


@given(st.floats(0.01, 0.999), st.floats(0, 1), st.floats(0, 1))
def test_unknown_is_less_likely_the_surer_the_best_label(t: float, one: float, other: float) -> None:
    less, more = sorted((one * t, other * t))
    assert probability_of_unknown(less, t) >= probability_of_unknown(more, t)


@given(st.floats(0.01, 0.99))
def test_unknown_and_the_best_label_are_level_at_the_threshold(t: float) -> None:
    unknown = probability_of_unknown(t, t)
    assert unknown == pytest.approx((1 - unknown) * t)


def test_scores_by_hand() -> None:
    p = np.array([0.2, 0.5, 0.3])
    ranked = rank(p, ("a", "b", "c"), top_k=2, unknown_threshold=0.8)
    # odds of the best label at 0.5 are 1, at the threshold 4: unknown is 4 times as likely as the best label
    assert [(label.label, round(label.score, 6)) for label in ranked] == [
        ("unknown", round(2 / 3, 6)),
        ("b", round(1 / 6, 6)),
        ("c", round(0.1, 6)),
    ]
    known = rank(p, ("a", "b", "c"), top_k=2, unknown_threshold=0.5)
    assert [(label.label, label.score) for label in known] == [("b", 0.5), ("c", 0.3)]


def test_a_threshold_of_one_leaves_nothing_to_the_labels() -> None:
    ranked = rank(np.array([0.9, 0.1]), ("a", "b"), top_k=2, unknown_threshold=1.0)
    assert [(label.label, label.score) for label in ranked] == [("unknown", 1.0), ("a", 0.0), ("b", 0.0)]


def test_equal_labels_come_in_their_order() -> None:
    ranked = rank(np.full(10, 0.1), NAMES, top_k=10, unknown_threshold=0.0)
    assert "".join(label.label for label in ranked) == "abcdefghij"
