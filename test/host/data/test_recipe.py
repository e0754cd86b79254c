"""Recipes are checked when they are read."""

from __future__ import annotations

import re
from typing import Any

import pytest
from recipes import write_recipe

from omnibind_ros.config.resources import find_config
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recipe import load_recipe

TEXT = {"modality": "text", "reader": "folders", "path": "said"}


def test_the_shipped_recipe_of_digits():
    recipe = load_recipe("digits")
    assert recipe.label_names == tuple("0123456789")
    assert set(recipe.modalities) == {"audio", "image", "event", "touch", "point_cloud", "thermal", "text"}
    assert "a hand showing the number three" in recipe.described("3")
    assert all(source.licence != "not stated" for source in recipe.sources)
    assert recipe.own == {}


def test_the_shipped_recipe_of_actions():
    recipe = load_recipe("actions")
    assert recipe.modalities == ("point_cloud", "imu", "skeleton")
    assert recipe.preprocessor("imu").input_shape == (1, 6, 1, 200)
    assert recipe.preprocessor("skeleton").input_shape == (1, 60, 1, 90)
    assert "someone clapping both hands in front of the body" in recipe.described("clap")
    assert {recipe.split_rule(s.name).test_groups for s in recipe.sources} == {("6", "7")}
    assert all(set(s.classes.values()) == set(recipe.labels) and s.pair for s in recipe.sources)


@pytest.mark.parametrize("recipe", ["digits", "actions"])
@pytest.mark.parametrize("key", ["reader", "path", "modality", "labels", "descriptions", "split"])
def test_a_typo_names_line_key_and_the_nearest(tmp_path, recipe, key):
    typo = key[:-2] + key[-1] + key[-2]
    right = find_config(f"recipes/{recipe}.yaml").read_text()
    text = re.sub(rf"^( *){key}:", rf"\1{typo}:", right, flags=re.MULTILINE)
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    line = next(n for n, row in enumerate(text.splitlines(), 1) if typo in row.partition("#")[0])
    with pytest.raises(ConfigError, match=rf"line {line}: .*{typo}: unknown key; did you mean '{key}'"):
        load_recipe(file)


def series(**constants: Any) -> dict[str, Any]:
    return {"modalities": {"imu": {"adaptor": "series", "preprocessing": constants}}}


def student(**rules: Any) -> dict[str, Any]:
    return {"modalities": {"text": {"student": rules}}}


SOURCE_MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "reader": ({"reader": "folder"}, r"reader: 'folder' is not valid; did you mean 'folders'"),
    "key of another reader": ({"topic": "/x"}, r"topic: unknown key; valid: .*files"),
    "modality": ({"modality": "txt"}, r"modality: 'txt' is neither built in .* mean 'text'"),
    "label of a class": ({"classes": {"ja": "yess"}}, r"classes.ja: 'yess' is not a label .*mean 'yes'"),
    "others": ({"others": "droop"}, r"others: 'droop' is not valid; did you mean 'drop'"),
    "regex": ({"regex": "("}, r"regex: .*not a regular expression"),
    "pattern": ({"reader": "pattern", "path": "{x"}, r"path: unmatched brace"),
    "scale": ({"sample": {"scael": 2}}, r"sample.scael: unknown key; did you mean 'scale'"),
    "rate": ({"sample": {"rate": -1}}, r"sample.rate: should be greater than 0"),
    "depth": ({"sample": {"depth": {"keep": "movin"}}}, r"sample.depth.keep: .*mean 'moving'"),
    "share": ({"split": {"test_share": 2}}, r"split.test_share: should be less than"),
}

MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "split": ({"split": {"test_group": [1]}}, r"split.test_group: .*did you mean 'test_groups'"),
    "no adaptor": ({"modalities": {"imu": {}}}, r"modalities.imu: .*not built in.*series"),
    "adaptor": ({"modalities": {"imu": {"adaptor": "serie"}}}, r"modalities.imu: .*mean 'series'"),
    "name of a modality": ({"modalities": {"My Imu": {"adaptor": "series"}}}, r"'my_imu'"),
    "constant": (series(chanels=3), r"imu: .*'channels'"),
    "spread": (series(std=[1, 2]), r"imu: .*2 values for 6 channels"),
    "zero spread": (series(std=0), r"imu: .*every spread is above 0"),
    "points": (series(axes=4), r"imu: 6 channels are no points of 4 coordinates"),
    "type of a constant": (series(rate="fast"), r"imu: "),
    "student": (student(variant=3), r"text.student.variant: .*'variants'"),
    "augment": (student(augment={"shif_x": 0.1}), r"augment.shif_x: .*'shift_x'"),
    "description": ({"descriptions": ["a {wrod}"]}, r"descriptions.0: .*unknown field \{wrod\}"),
    "simulated": ({"simulated": {"text": 3}}, r"simulated.text: .*labels 0 to 9 only, not 'yes'"),
    "simulated modality": ({"simulated": {"txt": 3}}, r"simulated.txt: no simulated 'txt'"),
    "from_pictures": ({"from_pictures": {"event": "mine"}}, r"from_pictures.event: 'mine' is not a source"),
    "taught": ({"taught_by": {"imo": "image"}}, r"taught_by.imo: the recipe has no modality 'imo'"),
    "taught by words": ({"taught_by": {"text": "image"}}, r"taught_by.text: .*learns from the texts alone"),
    "seen as": ({"from_pictures": {"evnt": "x"}}, r"from_pictures.evnt: .*mean 'event'"),
}


PAIRED = [
    {"modality": m, "reader": "pattern", "path": f"{m}/{{label}}_{{n}}.npy", "pair": "{label} {n}"}
    for m in ("touch", "point_cloud", "thermal")
]


@pytest.mark.parametrize(
    "taught_by, said",
    [
        ({"touch": "thrmal"}, "touch: the recipe has no modality 'thrmal'; did you mean 'thermal'"),
        ({"touch": "audio"}, "touch: no source of 'audio' has a 'pair'"),
        ({"touch": "touch"}, "touch: taught_by is circular: touch -> touch"),
        (
            {"touch": "thermal", "thermal": "point_cloud", "point_cloud": "touch"},
            "touch: taught_by is circular: touch -> thermal -> point_cloud -> touch",
        ),
    ],
)
def test_an_impossible_taught_by_is_one_line(tmp_path, taught_by, said):
    sounds = {"modality": "audio", "reader": "folders", "path": "heard"}
    with pytest.raises(ConfigError, match=rf"mine.yaml, line \d+: .*taught_by.{said}") as caught:
        write_recipe(tmp_path, *PAIRED, sounds, taught_by=taught_by)
    assert "\n" not in str(caught.value)


def test_one_may_teach_two_and_be_taught(tmp_path):
    recipe = write_recipe(tmp_path, *PAIRED, taught_by={"touch": "thermal", "thermal": "point_cloud"})
    assert recipe.taught_by == {"touch": "thermal", "thermal": "point_cloud"}


@pytest.mark.parametrize("case", [*SOURCE_MISTAKES, *MISTAKES])
def test_a_mistake_is_one_line_with_its_place(tmp_path, case):
    source, said = SOURCE_MISTAKES.get(case, ({}, ""))
    keys, said_of_key = MISTAKES.get(case, ({}, ""))
    place = rf"mine.yaml, line \d+: .*{said_of_key or 'sources.0.' + said}"
    with pytest.raises(ConfigError, match=place) as caught:
        write_recipe(tmp_path, {**TEXT, **source}, **keys)
    assert "\n" not in str(caught.value)


def test_a_source_has_a_name_of_its_own(tmp_path):
    with pytest.raises(ConfigError, match=r"sources\.1\.name: another source has the name 'a'"):
        write_recipe(tmp_path, {**TEXT, "name": "a"}, {**TEXT, "name": "a"})


def test_numbers_stand_for_labels_and_groups(tmp_path):
    recipe = write_recipe(
        tmp_path, {**TEXT, "classes": {3: 1}}, labels={1: "one", 2: 2}, split={"test_groups": [7]}
    )
    assert recipe.labels == {"1": "one", "2": "2"}
    assert recipe.sources[0].classes == {"3": "1"}
    assert recipe.split.test_groups == ("7",)


def test_unknown_labels_and_modalities_name_the_nearest():
    recipe = load_recipe("digits")
    with pytest.raises(ConfigError, match=r"'thermal'"):
        recipe.check_modality("termal")
    with pytest.raises(ConfigError, match=r"0, 1, 2"):
        recipe.check_label("ten")


def test_a_source_splits_as_the_recipe_says_unless_it_says_otherwise(tmp_path):
    own = {"split": {"test_share": 0.5}}
    recipe = write_recipe(tmp_path, TEXT, {**TEXT, **own}, split={"dev_share": 0.1})
    assert recipe.split_rule("source_0").dev_share == 0.1
    assert recipe.split_rule("source_1").test_share == 0.5
