"""The hand writes every digit, in every style, as a paced movement inside the unit square."""

from __future__ import annotations

import numpy as np
import pytest

from omnibind_ros.simulation.drawing import rasterise
from omnibind_ros.simulation.hand import STYLES, Stroke, write


@pytest.mark.parametrize("label", range(10))
def test_a_stroke_is_a_paced_movement_inside_the_unit_square(label: int) -> None:
    rng = np.random.default_rng(label)
    for _ in range(30):
        stroke = write(label, rng, samples=100)
        ink = stroke.points[stroke.pen_down]
        assert stroke.points.shape == (100, 2) and stroke.points.dtype == np.float32
        assert stroke.t.shape == (100,) and stroke.t.dtype == np.float32
        assert stroke.pen_down.shape == (100,) and stroke.pen_down.dtype == np.bool_
        assert stroke.pen_down[0] and stroke.pen_down[-1]
        assert ink.min() >= 0 and ink.max() <= 1
        assert np.ptp(ink, axis=0).max() >= 0.55
        assert stroke.t[0] == 0 and 0.6 <= stroke.t[-1] <= 1.8
        assert np.all(np.diff(stroke.t) > 0)


def test_the_pen_is_lifted_only_in_digits_with_several_strokes() -> None:
    rng = np.random.default_rng(0)
    lifted = {label: any(not write(label, rng).pen_down.all() for _ in range(60)) for label in range(10)}
    assert lifted == {label: any("|" in style for style in STYLES[label]) for label in range(10)}


def test_two_repetitions_differ_and_the_same_seed_repeats() -> None:
    first, second = (write(5, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first.points, second.points)
    rng = np.random.default_rng(3)
    assert not np.array_equal(write(5, rng).points, write(5, rng).points)


def test_the_pen_slows_down_in_corners() -> None:
    """A 7 in one stroke: slower around its sharpest turn than in the middle of its long straight line."""
    rng = np.random.default_rng(1)
    ratios = []
    while len(ratios) < 20:
        stroke = write(7, rng)
        if not stroke.pen_down.all():
            continue
        step = np.diff(stroke.points, axis=0)
        speed = np.hypot(*step.T)
        corner = int(np.argmax(stroke.points[:, 0] - stroke.points[:, 1]))
        ratios.append(speed[max(0, corner - 3) : corner + 3].mean() / np.median(speed))
    assert np.median(ratios) < 0.8


def test_framed_puts_the_ink_where_asked() -> None:
    stroke = write(3, np.random.default_rng(0)).framed(0.5, (0.25, 0.75))
    ink = stroke.points[stroke.pen_down]
    assert np.ptp(ink, axis=0).max() == pytest.approx(0.5, abs=1e-5)
    np.testing.assert_allclose((ink.min(0) + ink.max(0)) / 2, (0.25, 0.75), atol=1e-5)


def test_only_a_lowered_pen_leaves_ink() -> None:
    x = np.linspace(0.1, 0.9, 81, dtype=np.float32)
    points = np.stack([x, np.full_like(x, 0.5)], axis=1)
    stroke = Stroke(points, np.linspace(0, 1, 81, dtype=np.float32), (x < 0.35) | (x > 0.65))
    ink = rasterise(stroke, 40, width=2)
    assert ink.shape == (40, 40) and ink.dtype == np.float32
    assert ink[20, 8] == 1 and ink[20, 32] == 1
    assert ink[:, 15:25].max() == 0 and ink[:14].max() == 0
