"""`omnibind build`: one line for each plan; one line and a status other than 0 for an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
STAND_INS = CHECKOUT / "test" / "engines" / "tensorrt" / "stand_ins"


@pytest.fixture
def run(tmp_path):
    """The command in a process of its own, with a pretended GPU unless told otherwise."""

    def call(*arguments: str, gpu: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        paths = [str(CHECKOUT), *([str(STAND_INS / "path"), str(STAND_INS)] if gpu else [])]
        return subprocess.run(
            [sys.executable, "-m", "omnibind_ros.cli.main", "build", *arguments],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "OMNIBIND_CACHE": str(tmp_path / "cache"),
                "STRICT_TENSORRT": "10.3",
                "COLUMNS": "200",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    return call


def plans(tmp_path: Path) -> list[str]:
    return sorted(path.name.partition("-")[0] for path in (tmp_path / "cache" / "plans").glob("*.plan"))


def test_one_encoder_and_then_all_the_others(run, tmp_path):
    done = run("digits", "--only", "text", "--only", "touch")
    assert (done.returncode, done.stderr) == (0, "")
    assert "TensorRT 10.3.0 on Orin (compute capability 8.7)" in done.stdout
    assert plans(tmp_path) == ["text.fp16", "touch.fp16"]


def test_a_failure_is_one_line_and_the_others_are_built(run, tmp_path):
    done = run("digits", "--only", "text", STRICT_TENSORRT_FAULT="memory")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("omnibind: 1 of 1 plans could not be built: text: TensorRT cannot build text.fp16")
    assert "OutOfMemory" in line
    assert plans(tmp_path) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digitz"], "no bundle 'digitz'"),
        (["digits", "--only", "audoi"], "bundle 'digits' has no such encoder; did you mean 'audio'?"),
        (["digits", "--precision", "fp8"], "no audio encoder of precision 'fp8'"),
        (["digits", "--workspace-mb", "0"], "--workspace-mb"),
    ],
)  # fmt: skip
def test_mistakes(run, arguments, said):
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_option_that_the_hardware_does_not_have_fails(run):
    done = run("digits", "--precision", "fp32", "--dla-core", "0")
    assert done.returncode == 1
    assert "DLA computes in fp16, not fp32" in done.stderr


def test_without_tensorrt(run):
    done = run("digits", gpu=False)
    if "TensorRT" not in done.stderr:
        pytest.skip("this machine has TensorRT and a GPU")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
