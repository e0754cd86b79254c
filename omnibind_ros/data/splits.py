"""Who is held back: groups as a whole, the rest by a hash, so that new files never move old ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from omnibind_ros.data.recipe import Recipe, SplitRule
from omnibind_ros.data.recording import Recording

Split = Literal["train", "dev", "test"]


def split_of(recording: Recording, rule: SplitRule) -> Split:
    """The split a recording belongs to; depends on its group and name alone."""
    if recording.group and recording.group in rule.test_groups:
        return "test"
    if recording.group and recording.group in rule.dev_groups:
        return "dev"
    draw = int.from_bytes(hashlib.sha256(recording.name.encode()).digest()[:8], "big") / 2**64
    if draw < rule.test_share:
        return "test"
    return "dev" if draw < rule.test_share + rule.dev_share else "train"


def select(recordings: Iterable[Recording], recipe: Recipe, split: Split | Literal["all"]) -> list[Recording]:
    """The recordings of a split, in their order."""
    rules = {source.name: source.split for source in recipe.sources}
    return [r for r in recordings if split == "all" or split_of(r, rules[r.source]) == split]
