"""The command line: one line and status 2 for a mistake, 1 for a failure; imports only on demand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import omnibind_ros
from omnibind_ros.cli import main as command_line
from omnibind_ros.errors import BackendError, BadRecording, BundleError, ConfigError, TransportError


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
    "no such command": (["encodr"], "no command 'encodr'; did you mean 'encoder'"),
    "no sensor": (["encoder"], "--sensor"),
    "unknown option": (["encoder", "--sensor", "a", "--modalty", "image"], "--modalty"),
    "nothing said of the sensor": (["encoder", "--sensor", "a"], "sensor 'a' is not in any robot file"),
    "half said": (["encoder", "--sensor", "a", "--modality", "image"], "a.topic: this key is missing"),
    "sensor's name": (
        ["encoder", "--sensor", "Front Camera", "--modality", "image", "--topic", "x"],
        "sensor name 'Front Camera' cannot stand in a topic",
    ),
    "topic": (["encoder", "--sensor", "a", "--modality", "image", "--topic", "a b"], "'a b' is not a topic"),
    "no such bundle": (["fusion", "--bundle", "digitz"], "no bundle 'digitz'"),
    "rates": (["fusion", "--rate-hz", "20", "--max-rate-hz", "10"], "max_rate_hz 10 is below rate_hz 20"),
    "robot file": (["fusion", "--robot", "missing.yaml"], "missing.yaml: cannot be read"),
    "address": (["fusion", "--connect", "192.168.1.7"], "address '192.168.1.7' is not a Zenoh endpoint"),
    "no such bag": (["play", "missing.mcap"], "no bag at missing.mcap"),
    "nothing to play": (["play", "digits"], "--label and --modality"),
    "no recordings": (["play", "digits", "--label", "3", "--modality", "audio"], "set OMNIBIND_DATA"),
    "no such label": (["play", "digits", "--label", "x", "--modality", "audio"], "no label 'x'"),
    "no such modality": (["play", "digits", "--label", "3", "--modality", "audoi"], "did you mean 'audio'"),
    "no such recipe": (["play", "digts", "--label", "3", "--modality", "audio"], "mean 'recipes/digits'"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(
    case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMNIBIND_DATA", raising=False)
    arguments, said = MISTAKES[case]
    status, out, err = run(capsys, monkeypatch, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("omnibind: ")
    assert err.count("\n") == 1
    assert said in err


@pytest.mark.parametrize(
    "error, expected, said",
    [
        (TransportError("cannot open a Zenoh session: in use"), 1, "cannot open a Zenoh session: in use"),
        (KeyError("weights"), 1, "KeyError: 'weights' (a bug; `omnibind --debug ...` shows the traceback)"),
        (OSError(28, "No space left"), 1, "No space left"),
        (BundleError("damaged"), 2, "damaged"),
        (ConfigError("no such key"), 2, "no such key"),
        (BackendError("out of GPU memory"), 1, "out of GPU memory"),
        (BadRecording("cannot be read"), 2, "cannot be read"),
    ],
)
def test_only_invalid_input_is_status_2(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    expected: int,
    said: str,
) -> None:
    def play() -> None:
        raise error

    monkeypatch.setattr("omnibind_ros.cli.play.play", play)
    status, out, err = run(capsys, monkeypatch, "play")
    assert (status, out, err.count("\n")) == (expected, "", 1)
    assert err.startswith("omnibind: ") and said in err


def test_debug_shows_where(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["omnibind", "--debug", "fusion", "--bundle", "digitz"])
    with pytest.raises(Exception, match="no bundle 'digitz'"):
        command_line.main()


def test_options_win_over_the_robot_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from omnibind_ros.cli.options import robot_config

    file = tmp_path / "robot.yaml"
    file.write_text(
        "namespace: robot1\n"
        "sensors:\n"
        "  camera: {modality: image, topic: camera/image_raw}\n"
        "  mic: {modality: audio, topic: mic/audio, audio: {rate: 8000}}\n"
        "fusion: {rate_hz: 4.0, freshness: {min_timeout_s: 0.7}}\n"
    )
    given = {
        "namespace": None,
        "sensors": {"mic": {"topic": "other", "audio": {"rate": None, "channels": 2}, "modality": None}},
        "fusion": {"rate_hz": 8.0, "threads": None},
    }
    robot = robot_config(file, given)
    assert (robot.namespace, set(robot.sensors)) == ("robot1", {"camera", "mic"})
    mic = robot.sensors["mic"]
    assert (mic.modality, mic.topic, mic.options["rate"], mic.options["channels"]) == (
        "audio",
        "other",
        8000,
        2,
    )
    assert (robot.fusion.rate_hz, robot.fusion.freshness.min_timeout_s) == (8.0, 0.7)
    status, _, err = run(capsys, monkeypatch, "encoder", "--robot", str(file), "--sensor", "mik")
    assert status == 2
    assert f"sensor 'mik' is not in {file}; did you mean 'mic'?" in err


def test_help_lists_the_commands_and_imports_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = run(capsys, monkeypatch, "--help")
    assert (status, err) == (0, "")
    assert all(name in out for name in command_line.COMMANDS)
    status, without_arguments, _ = run(capsys, monkeypatch)
    assert (status, without_arguments) == (0, out)
    script = (
        "import sys; sys.argv = ['omnibind', '--help']\n"
        "from omnibind_ros.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'zenoh', 'onnxruntime', 'rosbags', 'pydantic', 'torch'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=root, check=True
    )
    assert printed.stdout.splitlines()[-1] == "[]"


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(capsys, monkeypatch, "--version") == (0, f"omnibind_ros {omnibind_ros.__version__}\n", "")


@pytest.mark.parametrize("name", ["encoder", "fusion", "play"])
def test_every_command_explains_itself(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = run(capsys, monkeypatch, name, "--help")
    assert (status, err) == (0, "")
    for option in ("--namespace", "--domain", "--connect", "--listen", "--zenoh-config"):
        assert option in out


def test_a_missing_extra_is_named() -> None:
    code = (
        "import sys; sys.modules.update(torch=None, lightning=None)\n"
        "from omnibind_ros.cli.main import main\n"
        "sys.argv[1:] = ['train', 'all', 'digits']; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 2
    assert 'pip install ".[train]"' in ended.stderr
