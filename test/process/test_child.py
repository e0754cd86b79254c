"""Child processes import this package wherever they are started, and nothing from the current folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from strays import write_strays

import omnibind_ros
from omnibind_ros.process.child import omnibind, run_code, run_main


@pytest.mark.parametrize(
    "command, printed",
    [
        (omnibind("--version"), f"omnibind_ros {omnibind_ros.__version__}"),
        (run_code("import omnibind_ros.errors, numpy, typer; print(sys.argv[1])", "fine"), "fine"),
    ],
)
def test_nothing_is_imported_from_the_current_folder(
    command: tuple[str, ...], printed: str, tmp_path: Path
) -> None:
    done = subprocess.run(command, cwd=write_strays(tmp_path), capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, printed), done.stderr


def test_a_child_runs_the_package_of_its_parent(tmp_path: Path) -> None:
    other = tmp_path / "omnibind_ros" / "cli"
    other.mkdir(parents=True)
    (other.parent / "__init__.py").write_text("")
    (other / "__init__.py").write_text("")
    (other / "main.py").write_text("def main(): raise SystemExit('another checkout')\n")
    command = run_main("omnibind_ros.cli.main", "--version")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_result_of_main_is_the_exit_status(tmp_path: Path) -> None:
    done = subprocess.run(omnibind("fusion", "--bundle", "digitz"), cwd=tmp_path, capture_output=True)
    assert done.returncode == 2
