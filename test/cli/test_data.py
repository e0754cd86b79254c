"""`omnibind data check` as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_recordings import write_tiny_root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_tiny_root(tmp_path / "recordings")


def check(*arguments: object, cache: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "omnibind_ros.cli.main", "data", "check", *map(str, arguments)]
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "COLUMNS": "120"}
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_the_table_shows_the_unequal_scales_and_problems_are_lines(root: Path, tmp_path: Path) -> None:
    found = tmp_path / "found.json"
    (root / "digits/event/1.bs2").write_bytes(b"1234")
    done = check("digits", "--root", root, "--json", found, cache=tmp_path / "cache")
    assert done.returncode == 2, done.stderr
    rows = {cells(line)[0]: cells(line)[1:] for line in done.stdout.splitlines() if "│" in line}
    assert rows["3"] == ["6", "3", "none", "1", "1", "none"]
    assert rows["none of them"] == ["", "", "", "", "", "1"]
    lines = done.stdout.splitlines()
    assert any(line.startswith("problem: ") and "1.bs2 has 4 bytes" in line for line in lines)
    assert "problem: class '1' has no recordings in any modality" in lines
    assert "note: audio has no recordings of 0, 1, 2, 4, 6, 7, 8, 9" in lines
    report = json.loads(found.read_text())
    assert report["table"]["audio"]["3"] == 6
    assert "Traceback" not in done.stderr


def test_a_second_check_says_the_same(root: Path, tmp_path: Path) -> None:
    outputs = [check("digits", "--root", root, cache=tmp_path / "cache").stdout for _ in range(2)]
    assert outputs[0] == outputs[1]
    assert len(list((tmp_path / "cache/omnibind_ros").iterdir())) == 1


def test_good_recordings_of_ones_own_are_exit_status_0(tmp_path: Path) -> None:
    for label in ("yes", "no"):
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "1.txt").write_text(f"I say {label}")
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "name: mine\nlabels: {yes: yes, no: no}\n"
        "sources: [{name: said, modality: text, reader: folders, path: .}]\n"
    )
    done = check(recipe, "--root", tmp_path / "data", cache=tmp_path / "cache")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "problem" not in done.stdout


def test_mistakes_are_one_line_and_exit_2(tmp_path: Path) -> None:
    for arguments, complaint in (
        (("digits", "--root", tmp_path / "nowhere"), "no data folder"),
        (("digit", "--root", tmp_path), "digits"),
        (("digits", "--root", tmp_path, "--json", tmp_path / "nowhere" / "x.json"), "create it first"),
    ):
        done = check(*arguments, cache=tmp_path / "cache")
        assert done.returncode == 2
        assert complaint in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
