"""Commands side by side: all run, and one that fails stops the others."""

from __future__ import annotations

import time

import pytest

from omnibind_ros.cli.side_by_side import side_by_side
from omnibind_ros.errors import TrainingError


def test_all_commands_run_and_are_told_as_they_end():
    lines: list[str] = []
    side_by_side(dict.fromkeys("abc", ("--help",)), 2, lines.append)
    assert sorted(line.partition(": done in ")[0] for line in lines) == ["a", "b", "c"]


def test_one_that_fails_says_why_and_stops_the_others():
    lines: list[str] = []
    begin = time.monotonic()
    with pytest.raises(TrainingError, match=r"^wrong: .*nowhere"):
        side_by_side(
            {"endless": ("fusion",), "wrong": ("train", "all", "nowhere"), "later": ("--help",)},
            2,
            lines.append,
        )
    assert time.monotonic() - begin < 60
    assert not lines


def test_nothing_to_do_is_done_at_once():
    side_by_side({}, 2, print)
