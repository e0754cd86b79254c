"""`omnibind report` as a user calls it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def omnibind(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "omnibind_ros.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100)


def test_mistakes_are_one_line_and_exit_2(tmp_path: Path) -> None:
    broken, old = tmp_path / "broken.json", tmp_path / "old.json"
    broken.write_text("{")
    old.write_text('{"subsets": []}')
    for file, complaint in (
        (tmp_path, "evaluation.json does not exist"),
        (broken, "cannot be read as JSON"),
        (old, "evaluate again"),
    ):
        done = omnibind("report", file)
        assert done.returncode == 2
        assert complaint in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1


def test_a_run_that_was_only_ablated_has_a_page(tmp_path: Path) -> None:
    who = {"modality": "touch", "variant": "all", "seed": 0, "samples": 640}
    told = {"per_class": 10, "trainings": [{**who, "accuracy": 0.9123}]}
    (tmp_path / "ablation_10.json").write_text(json.dumps(told))
    done = omnibind("report", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "91.23" in (tmp_path / "report.html").read_text()
