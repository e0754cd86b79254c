"""Recipes written by tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omnibind_ros.config.strict_yaml import dump_yaml
from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import Recipe, load_recipe
from omnibind_ros.host.data.recording import Recording


def write_recipe(folder: Path, *sources: dict[str, Any], **keys: Any) -> Recipe:
    """A recipe of two labels, yes and no, with these sources and whatever else."""
    numbered = [{"name": f"source_{index}", **source} for index, source in enumerate(sources)]
    recipe = {"name": "mine", "labels": {"yes": "yes", "no": "no"}, **keys, "sources": numbered}
    file = folder / "mine.yaml"
    file.write_text(dump_yaml(recipe))
    return load_recipe(file)


def read(folder: Path, *sources: dict[str, Any], **keys: Any) -> list[Recording]:
    """What such a recipe finds in `folder / "data"`."""
    return read_recordings(write_recipe(folder, *sources, **keys), folder / "data")
