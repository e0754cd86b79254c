"""`omnibind report` as a user calls it."""

from __future__ import annotations

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
