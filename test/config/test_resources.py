from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from omnibind_ros.config import resources
from omnibind_ros.config.resources import find_bundle, find_config
from omnibind_ros.errors import ConfigError

CHECKOUT = Path(resources.__file__).parents[2]


def share(prefix: Path) -> Path:
    return prefix / "share" / "omnibind_ros"


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Two ROS workspaces and a Python installation, all empty."""
    first, second, python = tmp_path / "ws1", tmp_path / "ws2", tmp_path / "python"
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"{first}{os.pathsep}{second}")
    monkeypatch.setattr(sys, "prefix", str(python))
    monkeypatch.chdir(tmp_path)
    return first, second, python


def test_the_nearest_place_wins(places):
    for place in reversed(places):
        manifest = put(share(place) / "engines" / "nums" / "bundle.yaml")
        assert find_bundle("nums") == manifest.parent


def test_an_explicit_path_wins_over_a_name(places, tmp_path):
    put(share(places[0]) / "engines" / "nums" / "bundle.yaml")
    put(tmp_path / "nums" / "bundle.yaml")
    assert find_bundle("nums") == Path("nums")
    assert find_bundle(tmp_path / "nums") == tmp_path / "nums"


def test_an_unknown_bundle_names_the_nearest_and_where_it_looked(places):
    put(share(places[1]) / "engines" / "numbers" / "bundle.yaml")
    with pytest.raises(ConfigError) as caught:
        find_bundle("nubmers")
    line = str(caught.value)
    assert line.startswith("no bundle 'nubmers' in ")
    assert line.endswith("did you mean 'numbers'?")
    for place in places:
        assert str(share(place)) in line
    assert str(CHECKOUT / "engines") in line


def test_a_path_without_a_manifest_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no bundle\.yaml in this folder"):
        find_bundle(tmp_path)


def test_configuration_comes_from_the_checkout_when_nothing_is_installed(places):
    assert find_config("robot") == CHECKOUT / "config" / "robot.yaml"


def test_configuration_is_found_with_and_without_its_ending_and_in_folders(places):
    recipe = put(share(places[0]) / "config" / "recipes" / "nums.yaml")
    assert find_config("recipes/nums") == recipe
    assert find_config("recipes/nums.yaml") == recipe
    assert find_config(recipe) == recipe
    with pytest.raises(ConfigError, match=r"did you mean 'recipes/nums'\?"):
        find_config("recipes/numz")


def test_what_lies_beside_an_installed_package_is_not_ours(places, tmp_path, monkeypatch):
    site = tmp_path / "site-packages"
    put(site / "config" / "other.yaml")  # of a package called `config`
    monkeypatch.setattr(resources, "__file__", str(site / "omnibind_ros" / "config" / "resources.py"))
    with pytest.raises(ConfigError, match="no configuration file 'other'") as caught:
        find_config("other")
    assert str(site) not in str(caught.value)


def test_a_link_to_the_package_leads_to_its_checkout(places, tmp_path, monkeypatch):
    link = tmp_path / "build" / "omnibind_ros"
    link.parent.mkdir()
    link.symlink_to(CHECKOUT / "omnibind_ros")
    monkeypatch.setattr(resources, "__file__", str(link / "config" / "resources.py"))
    assert find_config("robot") == CHECKOUT / "config" / "robot.yaml"
