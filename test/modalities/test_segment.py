"""Cutting a stream at its pauses."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.modalities.segment import Segment, newest_segment


def activity(text: str) -> np.ndarray:
    return np.array([c == "#" for c in text])


def test_nothing():
    assert newest_segment(activity("......"), 2) is None


def test_a_complete_one():
    assert newest_segment(activity("...##.##..."), 2) == Segment(3, 8, True, True)


def test_the_newest_complete_one_wins_over_one_that_has_only_begun():
    assert newest_segment(activity("...##....##..#"), 3) == Segment(3, 5, True, True)
    assert newest_segment(activity("...##....##....#"), 3) == Segment(9, 11, True, True)


def test_cut_at_either_end():
    assert newest_segment(activity("##....."), 2) == Segment(0, 2, False, True)
    assert newest_segment(activity("....##."), 2) == Segment(4, 6, True, False)
    assert newest_segment(activity("#######"), 2) == Segment(0, 7, False, False)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 8))
def test_what_is_found_is_active_at_both_ends_and_has_no_long_pause(frames, pause):
    active = np.array(frames, bool)
    found = newest_segment(active, pause)
    if found is None:
        assert not active.any()
        return
    assert active[found.start] and active[found.end - 1]
    inside = np.flatnonzero(active[found.start : found.end])
    assert np.diff(inside).max(initial=0) <= pause
    if found.ended:
        assert not active[found.end : found.end + pause].any()
    if found.begun:
        assert not active[max(0, found.start - pause) : found.start].any()
