"""Splits: listed groups as a whole, the others by a hash, so that new files never change old assignments."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from omnibind_ros.host.data.recipe import Recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.source import SplitRule

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")


def split_of(recording: Recording, rule: SplitRule) -> Split:
    """The split of a recording; it depends on its group, pair and name alone."""
    if recording.group and recording.group in rule.test_groups:
        return "test"
    if recording.group and recording.group in rule.dev_groups:
        return "dev"
    draw = int.from_bytes(hashlib.sha256(_drawn_by(recording, rule).encode()).digest()[:8], "big") / 2**64
    if draw < rule.test_share:
        return "test"
    return "dev" if draw < rule.test_share + rule.dev_share else "train"


def _drawn_by(recording: Recording, rule: SplitRule) -> str:
    """The text whose hash decides: the same for recordings that stay together."""
    together = {"recordings": "", "groups": recording.group, "pairs": recording.pair}[rule.share_of]
    return (together or recording.name) + (f"#{rule.seed}" if rule.seed else "")


def select(recordings: Iterable[Recording], recipe: Recipe, split: Split | Literal["all"]) -> list[Recording]:
    """The recordings of a split, in their order."""
    if split == "all":
        return list(recordings)
    rules = {source.name: recipe.split_rule(source.name) for source in recipe.sources}
    return [r for r in recordings if split_of(r, rules[r.source]) == split]
