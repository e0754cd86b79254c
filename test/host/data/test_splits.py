"""Who is held back."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.source import SplitRule
from omnibind_ros.host.data.splits import select, split_of


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


def test_groups_and_pairs_can_be_kept_together():
    people = [recording(f"{who}_{take}", f"{who}") for who in range(60) for take in range(4)]
    by_group = SplitRule(test_share=0.3, dev_share=0.2, share_of="groups")
    for who in range(60):
        assert len({split_of(r, by_group) for r in people if r.group == str(who)}) == 1
    assert {split_of(r, by_group) for r in people} == {"train", "dev", "test"}
    by_pair = SplitRule(test_share=0.5, share_of="pairs")
    for moment in range(40):
        several = [replace(recording(f"{kind} {moment}"), pair=f"moment {moment}") for kind in "abc"]
        assert len({split_of(r, by_pair) for r in several}) == 1


def test_another_seed_draws_other_shares():
    drawn = [
        [split_of(recording(str(i)), SplitRule(test_share=0.5, seed=seed)) for i in range(100)]
        for seed in (0, 1, 1)
    ]
    assert drawn[0] != drawn[1] == drawn[2]


def test_the_shares_of_old_runs_are_still_theirs():
    """Hash of the name alone: a run of an earlier version holds back the same recordings."""
    rule = SplitRule(test_share=0.15, dev_share=0.10)
    names = [f"audio/0_george_{i}.wav" for i in range(10, 20)]
    held_back = {name: split_of(recording(name, "george"), rule) for name in names}
    assert {name: split for name, split in held_back.items() if split != "train"} == {
        "audio/0_george_11.wav": "test",
        "audio/0_george_13.wav": "test",
        "audio/0_george_18.wav": "test",
    }
