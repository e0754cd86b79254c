"""docs/ros2.md and what ships beside it say of nodes, parameters and packages what is true."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from omnibind_ros.config.parameters import Setting, settings_of
from omnibind_ros.config.robot import load_robot
from omnibind_ros.config.settings import EncoderSettings, FusionSettings
from omnibind_ros.encoder.process import EncoderProcess
from omnibind_ros.fusion.process import FusionProcess
from omnibind_ros.messages.diagnostics import reporter_name

CHECKOUT = Path(__file__).resolve().parents[1]
PAGE = (CHECKOUT / "docs" / "ros2.md").read_text()
NODES = {"fusion": FusionSettings, "encoder_<sensor>": EncoderSettings}
KINDS = {bool: "bool", int: "int", float: "double", str: "string", tuple: "string[]", dict: "string"}


def rows(node: str) -> dict[str, list[str]]:
    """Parameter -> its cells, of the table below a node's title."""
    section = PAGE.partition(f"### `{node}`\n")[2].partition("\n##")[0]
    found = re.findall(r"^\| `([\w.]+)` \| (.*) \|$", section, re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in found}


def shown_range(setting: Setting) -> str:
    if setting.minimum is None:
        return ""
    if setting.maximum is None:
        return f"from {setting.minimum:g}"
    return f"{setting.minimum:g} to {setting.maximum:g}"


@pytest.mark.parametrize("node", NODES)
def test_all_parameters_are_in_the_table_as_they_are(node):
    settings = {setting.name: setting for setting in settings_of(NODES[node])}
    table = rows(node)
    assert table.keys() == settings.keys()
    for name, (kind, default, allowed, _, meaning) in table.items():
        setting = settings[name]
        value: Any = list(setting.default) if isinstance(setting.default, tuple) else setting.default
        assert kind == KINDS[setting.kind], name
        assert ast.literal_eval(default.strip("`")) == value, name
        assert allowed == shown_range(setting), name
        assert meaning.replace("`", "") == setting.description.replace("`", ""), name


@pytest.mark.parametrize(
    ("node", "process"), [("fusion", FusionProcess), ("encoder_<sensor>", EncoderProcess)]
)
def test_the_table_tells_what_may_change_at_any_time(node, process):
    for name, cells in rows(node).items():
        assert (cells[3] == "any time") == name.startswith(process.CHANGEABLE), name


def test_the_recipe_installs_all_that_pip_must():
    in_setup = re.search(r"install_requires=\[(.*?)\]", (CHECKOUT / "setup.py").read_text(), re.DOTALL)
    assert in_setup
    needed = set(re.findall(r'"([\w-]+)', in_setup[1])) - {"opencv-python-headless", "pyyaml"}  # from apt
    pages = [PAGE, *(path.read_text() for path in (CHECKOUT / "docker").glob("Dockerfile.*"))]
    assert len(pages) == 3
    for page in pages:
        recipe = re.search(r"python -m pip install \\?\n?(.*?)\"setuptools<80\"", page, re.DOTALL)
        assert recipe
        assert needed <= set(re.findall(r'"([\w-]+)[<>=]', recipe[1]))
        assert '<2"' in recipe[1]
    named = (CHECKOUT / "package.xml").read_text()
    assert all(name in named for name in needed)


def analyzers() -> dict[str, Any]:
    text = (CHECKOUT / "config" / "diagnostic_aggregator.yaml").read_text()
    found = yaml.safe_load(text)["analyzers"]["ros__parameters"]
    return {name: given for name, given in found.items() if name != "path"}


@pytest.mark.parametrize("namespace", ["", "/robot1"])
def test_each_status_of_the_shipped_robot_is_in_its_group_and_no_other(namespace):
    sensors = load_robot(CHECKOUT / "config" / "robot.yaml").sensors
    groups = analyzers()
    assert groups.keys() == {"recognition", *sensors}
    statuses = {f"{reporter_name('fusion', namespace)}: recognition": "recognition"}
    for sensor in sensors:
        for node in ("fusion", f"encoder_{sensor}"):
            statuses[f"{reporter_name(node, namespace)}: {sensor}"] = sensor
    for status, group in statuses.items():
        matching = {
            name for name, given in groups.items() if any(re.fullmatch(r, status) for r in given["regex"])
        }
        assert matching == {group}, status
