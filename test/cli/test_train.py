"""`omnibind train` and `omnibind ablate`: mistakes are one line; Ctrl-C is one line and status 130."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

from omnibind_ros.cli import main as command_line
from omnibind_ros.errors import TrainingError
from omnibind_ros.host.training.run import TrainingRun


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["omnibind", *arguments])
    with pytest.raises(SystemExit) as ended:
        command_line.main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


MISTAKES = {
    "no recordings": (["train", "students", "digits"], "no data folder: pass --root or set OMNIBIND_DATA"),
    "no such step": (["train", "student", "digits", "--root", "."], "'student'"),
    "no such modality": (["train", "students", "digits", "--modality", "tuch"], "did you mean 'touch'"),
    "no such setting": (
        ["train", "students", "digits", "--root", ".", "--set", "cad.lambda_txt=1"],
        "--set cad.lambda_txt: unknown key; did you mean 'lambda_text'?",
    ),
    "no such folder": (["train", "students", "digits", "--root", "nowhere"], "no data folder nowhere"),
    "nothing to leave out": (
        ["ablate", "digits", "--root", ".", "--modalities", "touch", "--terms", "relatoin"],
        "--terms relatoin: there is no such part; did you mean 'relation'?",
    ),
    "json's folder": (
        ["ablate", "digits", "--root", ".", "--json", "no/where.json"],
        "no folder no; create it first",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(case, capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("OMNIBIND_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    arguments, said = MISTAKES[case]
    status, out, err = run(capsys, monkeypatch, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("omnibind: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    "error, status, said",
    [
        (KeyboardInterrupt(), 130, "interrupted; run the same command to continue in "),
        (OSError(28, "No space left on device"), 1, "omnibind: no space left on the disk of "),
        (TrainingError("touch: the loss is nan at step 7"), 1, "omnibind: touch: the loss is nan at step 7"),
    ],
)
def test_how_a_training_ends_early(error, status, said, capsys, monkeypatch, tmp_path):
    def stop(*_: object) -> None:
        raise error

    monkeypatch.setattr(TrainingRun, "encoder", stop)
    ended, out, err = run(
        capsys,
        monkeypatch,
        "train",
        "students",
        "digits",
        "--root",
        str(tmp_path),
        "--out",
        str(tmp_path / "r"),
    )
    assert (ended, out) == (status, "")
    assert said in err
    assert err.count("\n") == 1
    assert (tmp_path / "r/config.yaml").exists()


def test_a_run_is_not_continued_with_another_config(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(TrainingRun, "encoder", lambda *_: None)
    begin = ["train", "students", "digits", "--root", str(tmp_path), "--out", str(Path(tmp_path) / "r")]
    assert run(capsys, monkeypatch, *begin, "--seed", "4")[0] == 0
    status, _, err = run(capsys, monkeypatch, *begin, "--set", "cad.lambda_image=0")
    assert status == 2
    assert "seed was 4, is 0; cad.lambda_image was 0.1, is 0.0" in err
    assert run(capsys, monkeypatch, *begin, "--set", "cad.lambda_image=0", "--restart")[0] == 0
