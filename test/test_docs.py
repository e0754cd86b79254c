"""What the documentation tells people to type, set and open is there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from omnibind_ros.config import robot

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = sorted([CHECKOUT / "README.md", *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("*/README.md")])
ROBOT_MODELS = (
    robot.RobotConfig,
    robot.SensorConfig,
    robot.FusionConfig,
    robot.FreshnessConfig,
    robot.EncodersConfig,
)


def commands_in_pages() -> dict[str, set[str]]:
    """Command -> long options, of every `omnibind ...` in a block of code."""
    found: dict[str, set[str]] = {}
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            for command, rest in re.findall(r"^omnibind (\w+)([^#\n]*)", block, re.MULTILINE):
                found.setdefault(command, set()).update(re.findall(r"--[\w-]+", rest))
    return found


@pytest.mark.parametrize("command", sorted(commands_in_pages()))
def test_documented_commands_and_options_exist(command):
    done = subprocess.run(
        [sys.executable, "-m", "omnibind_ros.cli.main", command, "--help"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    if "needs the Python module" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    known = set(re.findall(r"--[\w-]+", done.stdout))
    assert commands_in_pages()[command] <= known


def test_the_pages_name_the_commands_of_a_robot_and_of_a_host():
    assert {"up", "watch", "encoder", "play", "train", "evaluate", "export"} <= commands_in_pages().keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
            assert anchor in anchors, link


def documented_defaults(key: str) -> list[str]:
    page = (CHECKOUT / "docs" / "robot_yaml.md").read_text()
    return re.findall(rf"^\| `{key}` \| (.*?) \|", page, re.MULTILINE)


@pytest.mark.parametrize("model", ROBOT_MODELS, ids=lambda model: model.__name__)
def test_every_key_of_a_robot_file_is_documented_with_its_default(model):
    for key, field in model.model_fields.items():
        shown = documented_defaults(key if key != "audio" else "audio.rate")
        assert shown, key
        if key == "audio" or field.is_required() or field.default_factory is not None:
            continue
        if isinstance(field.default, BaseModel):
            assert shown == ["| below"]
            continue
        values = [yaml.safe_load(text.strip("`")) for text in shown if text != "*required*"]
        wanted = list(field.default) if isinstance(field.default, tuple) else field.default
        assert wanted in values, f"{key}: {wanted!r} is not among {values}"


def test_options_of_audio_are_documented_with_their_defaults():
    for key, field in robot.AudioOptions.model_fields.items():
        (shown,) = documented_defaults(f"audio.{key}")
        assert yaml.safe_load(shown.strip("`")) == field.default
