"""Who is held back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.data.readers import read_recordings
from omnibind_ros.data.recipe import SplitRule, load_recipe
from omnibind_ros.data.recording import Recording
from omnibind_ros.data.splits import select, split_of


def recording(name: str, group: str = "") -> Recording:
    return Recording("audio", "spoken", name, "3", group, lambda: None)


def test_a_group_goes_as_a_whole():
    rule = SplitRule(test_groups=("lucas",), dev_groups=("theo",), test_share=0.2, dev_share=0.1)
    assert {split_of(recording(f"{i}", "lucas"), rule) for i in range(50)} == {"test"}
    assert {split_of(recording(f"{i}", "theo"), rule) for i in range(50)} == {"dev"}
    assert {split_of(recording(f"{i}", "ann"), rule) for i in range(50)} == {"train", "dev", "test"}


@given(st.floats(0, 1), st.floats(0, 1))
def test_shares_are_kept(test_share, dev_share):
    dev_share = min(dev_share, 1 - test_share)
    rule = SplitRule(test_share=test_share, dev_share=dev_share)
    splits = [split_of(recording(str(i)), rule) for i in range(400)]
    assert abs(splits.count("test") / 400 - test_share) < 0.12
    assert abs(splits.count("dev") / 400 - dev_share) < 0.12


def test_splits_part_the_recordings_and_new_files_move_none(tiny_root):
    recipe = load_recipe("digits")
    recordings = read_recordings(recipe, tiny_root)
    parts = [select(recordings, recipe, split) for split in ("train", "dev", "test")]
    assert sorted(r.name for part in parts for r in part) == sorted(r.name for r in recordings)
    assert select(recordings, recipe, "all") == recordings
    fewer = recordings[::2]
    assert [r.name for r in select(fewer, recipe, "test")] == [r.name for r in parts[2] if r in fewer]


def test_no_group_is_in_two_splits(data_root):
    recipe = load_recipe("digits")
    recordings = read_recordings(recipe, data_root, ("touch",))
    groups = [{r.group for r in select(recordings, recipe, split)} for split in ("train", "dev", "test")]
    assert groups[0] and groups[1] and groups[2]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
