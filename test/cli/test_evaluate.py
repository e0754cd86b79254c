"""`omnibind evaluate` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tiny_recordings import write_tiny_root


def omnibind(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "omnibind_ros.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_scores_of_whatever_is_below_the_root(tmp_path: Path) -> None:
    root, scores = write_tiny_root(tmp_path / "recordings"), tmp_path / "scores.json"
    done = omnibind("evaluate", "--root", root, "--split", "all", "--json", scores)
    assert done.returncode == 0, done.stderr
    found = json.loads(scores.read_text())
    assert {m: s["n"] for m, s in found["modalities"].items()} == {
        "audio": 12,
        "image": 6,
        "event": 1,
        "touch": 3,
        "point_cloud": 1,
        "thermal": 2,
    }
    assert found["negatives"]["thermal"]["n"] == 1
    assert all(0 <= s["accuracy"] <= 1 for s in [*found["modalities"].values(), *found["subsets"]])
    assert ["audio", "image", "touch"] in [s["modalities"] for s in found["subsets"]]
    assert "audio" in done.stdout
    assert found["seen_in_training"]
    assert "was trained on these recordings" in " ".join(done.stdout.split())


def test_mistakes_are_one_line_and_exit_2(tmp_path: Path) -> None:
    for arguments, complaint in (
        (("--root", tmp_path / "nowhere"), "no data folder"),
        (("--root", tmp_path, "--json", tmp_path / "nowhere" / "scores.json"), "nowhere; create it first"),
        (("--root", tmp_path, "--recipe", "digit"), "digits"),
        (("--root", tmp_path, "--bundle", "digts"), "digits"),
    ):
        done = omnibind("evaluate", *arguments)
        assert done.returncode == 2
        assert complaint in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
