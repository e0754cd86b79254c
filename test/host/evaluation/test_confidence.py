"""Fits of temperature scaling recover the scale that made the data, and its probabilities are calibrated."""

from __future__ import annotations

import math

import numpy as np
import pytest

from omnibind_ros.bundle.temperature_scaling import softmax
from omnibind_ros.host.evaluation.confidence import (
    expected_calibration_error,
    fit_scale,
    fit_unknown_threshold,
)


def draw(scale: float, rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Cosines, and labels drawn from softmax(scale x cosine) by the Gumbel trick."""
    rng = np.random.default_rng(seed)
    cosines = rng.uniform(-1, 1, (rows, 10))
    return cosines.astype(np.float32), (scale * cosines + rng.gumbel(size=cosines.shape)).argmax(axis=1)


@pytest.mark.parametrize("scale", [2.0, 8.0, 30.0])
def test_fit_recovers_the_scale_that_made_the_labels(scale: float) -> None:
    assert fit_scale(*draw(scale, 20_000)) == pytest.approx(scale, rel=0.05)


def test_fit_is_a_minimum_of_the_likelihood() -> None:
    cosines, labels = draw(6.0, 5000)

    def loss(scale: float) -> float:
        p = softmax(scale * cosines)
        return -float(np.log(p[np.arange(len(labels)), labels]).mean())

    best = fit_scale(cosines, labels)
    assert loss(best) < min(loss(best * 1.02), loss(best / 1.02))


def test_fewer_recordings_give_a_smaller_scale_even_without_an_error() -> None:
    cosines, labels = np.eye(3), np.arange(3)
    # M = 3: the label gets 4/5 + 1/15 = 13/15 of the mass, so e^s / (e^s + 2) = 13/15
    assert fit_scale(cosines, labels) == pytest.approx(math.log(13), rel=1e-4)
    assert fit_scale(np.tile(cosines, (100, 1)), np.tile(labels, 100)) > 5


def test_hopeless_data_end_at_the_lower_bound() -> None:
    assert fit_scale(np.eye(3), np.array([1, 2, 0]), bounds=(1, 50)) == pytest.approx(1, rel=1e-4)


def test_the_right_scale_is_calibrated_and_a_wrong_one_is_not() -> None:
    cosines, labels = draw(5.0, 20_000, seed=1)
    right = expected_calibration_error(softmax(5.0 * cosines), labels)
    sharp = expected_calibration_error(softmax(20.0 * cosines), labels)
    assert right < 0.02 < 0.15 < sharp


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [1.0, 0.0]])
    labels = np.array([0, 1, 1, 0])
    # bins of confidence 0.9, 0.9 (accuracy 0.5), 0.6 (0) and 1.0 (1): (2 * 0.4 + 0.6 + 0) / 4
    assert expected_calibration_error(probabilities, labels, bins=20) == pytest.approx(0.35)


def test_the_unknown_threshold_lies_between_separable_scores() -> None:
    threshold = fit_unknown_threshold(np.array([0.8, 0.9, 0.95]), np.array([0.2, 0.4, 0.5]))
    assert threshold == pytest.approx(0.65)


def test_the_unknown_threshold_keeps_to_its_budget() -> None:
    rng = np.random.default_rng(0)
    known, unknown = rng.beta(5, 2, 2000), rng.beta(3, 3, 2000)
    for budget in (0.0, 0.05, 0.2):
        threshold = fit_unknown_threshold(known, unknown, max_known_refused=budget)
        assert (known < threshold).mean() <= budget
    assert (unknown < fit_unknown_threshold(known, unknown, 0.2)).mean() > 0.4


def test_without_unknown_samples_nothing_known_is_refused() -> None:
    assert fit_unknown_threshold(np.array([0.3, 0.9]), np.array([])) <= 0.3
