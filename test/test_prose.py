"""Prose keeps to plain technical English: processes have no voice, ears, wishes or beliefs.

Checks the whole text of the files below: comments, docstrings, messages and pages. Add a folder to CLEAN when
its prose is revised.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]

CLEAN = [
    "*.md",
    "*.py",
    "Makefile",
    ".github/**/*.md",
    ".github/**/*.yml",
    "benchmarks/*.md",
    "calibration/*.md",
    "docker/*",
    "config/recipes/*.yaml",
    "docs/fusion_method.md",
    "docs/glossary.md",
    "docs/jetson.md",
    "docs/method.md",
    "docs/precisions.md",
    "docs/recipes.md",
    "docs/results.md",
    "docs/ros2.md",
    "docs/wire.md",
    "engines/**/*.md",
    "launch/*.md",
    "omnibind_ros/host/**/*.py",
]
NOT_YET = ["README.md"]

INSTEAD = {
    r"believes?|believed": "trust, weight, use",
    r"haunts?|haunted": "remain",
    r"hears?|heard": "receive, detect",
    r"speaks?|spoke": "publish, send",
    r"says? goodbye|bids? goodbye": "publish a withdrawal",
    r"nobody|somebody": "no process, another process",
    r"whom": "which",
    r"wants|wanted by": "requires, expects",
}
ALLOWED = {
    "docs/jetson.md": ["Wants=network-online.target"],  # a key of systemd
    "docs/ros2.md": ["nobody tells the time on /clock"],  # output of a program
}


def files() -> list[Path]:
    found = {path for pattern in CLEAN for path in CHECKOUT.glob(pattern) if path.is_file()}
    return sorted(found - {CHECKOUT / name for name in NOT_YET})


@pytest.mark.parametrize("file", files(), ids=lambda file: file.relative_to(CHECKOUT).as_posix())
def test_no_metaphors_for_processes(file):
    text = file.read_text()
    for allowed in ALLOWED.get(file.relative_to(CHECKOUT).as_posix(), []):
        text = text.replace(allowed, "")
    for number, line in enumerate(text.splitlines(), start=1):
        for pattern, instead in INSTEAD.items():
            found = re.search(rf"\b(?:{pattern})\b", line, re.IGNORECASE)
            assert not found, f"{file}:{number}: {found[0]!r}: write e.g. {instead!r}"


def test_every_clean_pattern_matches_a_file():
    assert all(any(CHECKOUT.glob(pattern)) for pattern in CLEAN)
