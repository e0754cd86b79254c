"""Which modalities there are: the folders, and what other packages offer."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from modality_packages import rediscovered

from omnibind_ros import modalities
from omnibind_ros.errors import ConfigError
from omnibind_ros.modalities import registry
from omnibind_ros.modalities.definition import Lazy, ModalityDefinition
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.registry import ORDER, definition, definitions, find, make_preprocessor, names

FOLDERS = {path.parent.name for path in Path(modalities.__file__).parent.glob("*/__init__.py")}


def test_every_folder_is_a_modality_and_the_first_seven_keep_their_order():
    assert set(names()) == FOLDERS
    assert names()[: len(ORDER)] == ORDER


@pytest.mark.parametrize("modality", names())
def test_every_part_that_a_definition_names_is_there(modality: str):
    known = definition(modality)
    assert known.name == modality
    assert bool(known.publishes) == (known.frames is not None)
    for field in fields(known):
        part = getattr(known, field.name)
        if isinstance(part, Lazy):
            assert part.load() is not None, field.name
    kind = known.preprocessor.load()
    assert issubclass(kind, Preprocessor)
    assert kind.modality == modality


def test_an_unknown_modality_is_refused_with_the_nearest():
    assert find("odour") is None
    with pytest.raises(ConfigError, match="no modality 'termal'; did you mean 'thermal'"):
        make_preprocessor("termal")
    with pytest.raises(ConfigError, match="no modality 'imu'"):
        make_preprocessor("wrist", {"adaptor": "imu"})


# -------- other packages


def offered(**values: str) -> list[EntryPoint]:
    return [EntryPoint(name, value, registry.ENTRY_POINTS) for name, value in values.items()]


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A function that installs entry points; module `foreign` has the definitions `WIND` and `NOTHING`."""
    foreign = ModuleType("foreign")
    preprocessor = Lazy[type[Preprocessor]]("omnibind_ros.modalities.text.preprocessing:TextPreprocessor")
    foreign.WIND = ModalityDefinition(
        name="wind", reads=("std_msgs/msg/String",), preprocessor=preprocessor, min_timeout_s=3.0
    )
    foreign.NOTHING = None
    monkeypatch.setitem(sys.modules, "foreign", foreign)

    def install(**values: str) -> None:
        monkeypatch.setattr(registry, "entry_points", lambda group: offered(**values))

    with rediscovered():
        yield install


def test_what_a_package_offers_comes_after_what_is_built_in(offer: Any):
    offer(wind="foreign:WIND")
    assert names()[-1] == "wind"
    assert definition("wind").min_timeout_s == 3.0
    assert definitions()[-1].name == "wind"
    assert make_preprocessor("wind").input_shape == (1, 1024)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("nowhere:WIND", "cannot import nowhere:WIND: ModuleNotFoundError"),
        ("foreign:STORM", "cannot import foreign:STORM: AttributeError"),
        ("foreign:NOTHING", "foreign:NOTHING is not a ModalityDefinition"),
    ],
)
def test_a_package_that_cannot_be_used_costs_its_own_modality_only(
    offer: Any, caplog: pytest.LogCaptureFixture, value: str, problem: str
):
    offer(wind=value)
    with pytest.raises(ConfigError, match=f"modality 'wind': {problem}"):
        make_preprocessor("wind")
    with caplog.at_level(logging.WARNING):
        assert {known.name for known in definitions()} == FOLDERS
        assert {known.name for known in definitions()} == FOLDERS
    assert [problem in record.message for record in caplog.records] == [True]


def test_the_entry_point_has_the_name_of_the_modality(offer: Any):
    offer(breeze="foreign:WIND")
    with pytest.raises(ConfigError, match="has the name 'wind'; give both the same name"):
        definition("breeze")


def test_nobody_replaces_a_built_in_modality(offer: Any, caplog: pytest.LogCaptureFixture):
    offer(image="foreign:WIND")
    with caplog.at_level(logging.WARNING):
        assert set(names()) == FOLDERS
    assert definition("image").name == "image"
    assert "'image' is there already; foreign:WIND is left out" in caplog.text
