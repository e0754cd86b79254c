"""Recipes are checked when they are read."""

from __future__ import annotations

import pytest

from omnibind_ros.config.resources import find_config
from omnibind_ros.core import ConfigError
from omnibind_ros.data.recipe import load_recipe


def test_the_shipped_recipe():
    recipe = load_recipe("digits")
    assert recipe.label_names == tuple("0123456789")
    assert set(recipe.modalities) == {"audio", "image", "event", "touch", "point_cloud", "thermal", "text"}
    assert "a hand showing the number three" in recipe.described("3")
    assert all(source.licence != "not stated" for source in recipe.sources)


def test_a_typo_names_line_key_and_the_nearest(tmp_path):
    text = find_config("recipes/digits.yaml").read_text().replace("reader: wav", "raeder: wav")
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    line = text[: text.index("raeder")].count("\n") + 1
    with pytest.raises(ConfigError, match=rf"line {line}.*raeder.*'reader'"):
        load_recipe(file)


def test_unknown_labels_and_modalities_name_the_nearest():
    recipe = load_recipe("digits")
    with pytest.raises(ConfigError, match="'thermal'"):
        recipe.check_modality("termal")
    with pytest.raises(ConfigError, match="0, 1, 2"):
        recipe.check_label("ten")
