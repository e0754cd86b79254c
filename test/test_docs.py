"""What the documentation tells people to type, set and open is there."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from omnibind_ros.config import robot
from omnibind_ros.host.data import decode, depth, recipe, source
from omnibind_ros.modalities.registry import definitions
from omnibind_ros.modalities.series import preprocessing as time_series

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", ".github/*.md", "docs/*.md", "*/README.md", "engines/*/README.md")
    for path in CHECKOUT.glob(pattern)
)
ROBOT_MODELS = (
    robot.RobotConfig,
    robot.SensorConfig,
    robot.FusionConfig,
    robot.Freshness,
    robot.MemoryConfig,
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


RECIPE_TABLES: dict[type, str] = {
    recipe.Recipe: "Keys of a recipe",
    source.Source: "Sources",
    decode.SampleRules: "Samples",
    depth.DepthCamera: "Samples",
    source.SplitRule: "Splits",
    recipe.ModalityRules: "Modalities of your own",
    time_series.SeriesFormat: "Modalities of your own",
}


@pytest.mark.parametrize("model", RECIPE_TABLES, ids=lambda model: model.__name__)
def test_every_key_of_a_recipe_is_documented_with_its_default(model):
    page = (CHECKOUT / "docs" / "recipes.md").read_text()
    (part,) = re.findall(rf"^##+ {RECIPE_TABLES[model]}\n(.*?)(?=^##|\Z)", page, re.MULTILINE | re.DOTALL)
    shown = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", part, re.MULTILINE))
    if model is time_series.SeriesFormat:
        defaults = {field.name: field.default for field in fields(model)}
    else:
        defaults = {
            field.alias or key: field.get_default(call_default_factory=True)
            for key, field in model.model_fields.items()
        }
    for key, default in defaults.items():
        assert key in shown, key
        if shown[key].startswith("`"):
            documented = yaml.safe_load(shown[key].strip("`"))
            if isinstance(default, BaseModel):
                default = default.model_dump(exclude_defaults=True)
            assert documented == (list(default) if isinstance(default, tuple) else default)


def test_every_reader_and_student_key_is_documented():
    page = (CHECKOUT / "docs" / "recipes.md").read_text()
    for reader in recipe.AnySource.__args__:
        for key in reader.model_fields.keys() - source.Source.model_fields.keys():
            assert f"`{key}`" in page, key
    for key in recipe.StudentRules.model_fields:
        assert f"`{key}`" in page, key


def test_the_ten_lines_are_a_recipe(tmp_path):
    page = (CHECKOUT / "docs" / "recipes.md").read_text()
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len(text.splitlines()) <= 10
    (tmp_path / "pets.yaml").write_text(text)
    assert recipe.load_recipe(tmp_path / "pets.yaml").modalities == ("image", "audio")


@pytest.mark.parametrize("known", definitions(), ids=lambda known: known.name)
def test_every_modality_is_documented_with_what_it_reads(known):
    page = (CHECKOUT / "docs" / "modalities.md").read_text()
    (reads,) = re.findall(rf"^\| `{known.name}` \| (.*?) \|", page, re.MULTILINE)
    assert tuple(re.findall(r"`([\w/]+)`", reads)) == known.reads
    live = f"{known.hold_s or known.min_timeout_s or 0.5:g} s"
    assert re.search(rf"^\| `{known.name}` \|.* {live} \|$", page, re.MULTILINE)


def test_options_of_audio_are_documented_with_their_defaults():
    for key, field in robot.AudioOptions.model_fields.items():
        (shown,) = documented_defaults(f"audio.{key}")
        assert yaml.safe_load(shown.strip("`")) == field.default


def test_the_glossary_has_at_most_thirty_terms_each_defined_once():
    page = (CHECKOUT / "docs" / "glossary.md").read_text()
    terms = re.findall(r"^\| ([a-z ]+) \| (?!meaning)", page, re.MULTILINE)
    assert 20 <= len(terms) <= 30
    assert len(set(terms)) == len(terms)
