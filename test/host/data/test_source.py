"""From what a reader finds to what it means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.decode import Decoder
from omnibind_ros.host.data.files import Files
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.source import Entry, Source
from omnibind_ros.modalities.registry import make_preprocessor

LABELS = {"yes": "yes", "no": "no"}


class Listed(Source):
    """Finds what it is told."""

    reader: Literal["listed"] = "listed"
    entries: dict[str, dict[str, str]]

    def find(self, files: Files, decoder: Decoder) -> Iterator[Entry]:
        for name, fields in self.entries.items():
            yield Entry(name, fields, Path(name), lambda: None)


def recordings(entries: dict[str, dict[str, str]], **rules: Any) -> list[Recording]:
    source = Listed(name="listed", modality="text", entries=entries, **rules)
    decoder = Decoder(make_preprocessor("text"), source.sample)
    return list(source.recordings(Files(Path(), ()), decoder, LABELS))


def labels(entries: dict[str, dict[str, str]], **rules: Any) -> list[str | None]:
    return [recording.label for recording in recordings(entries, **rules)]


CLASSES = {"a": {"label": "yes"}, "b": {"label": "oui"}, "c": {"label": "rien"}}


def test_classes_are_collected_by_meaning_and_null_is_none_of_the_labels():
    assert labels(CLASSES, classes={"oui": "yes", "rien": None}) == ["yes", "yes", None]
    assert labels({"a": {"label": "3"}}, classes={3: "yes"}) == ["yes"]


def test_classes_can_be_left_out_one_by_one_or_all_the_others():
    assert labels(CLASSES, classes={"oui": "yes"}, drop=["rien"]) == ["yes", "yes"]
    assert labels(CLASSES, others="drop") == ["yes"]
    assert labels(CLASSES, others="negative") == ["yes", None, None]


def test_an_unknown_class_is_refused_with_the_nearest_label():
    with pytest.raises(ConfigError, match=r"'listed': class 'yess' of x .*did you mean 'yes'"):
        labels({"x": {"label": "yess"}})


def test_texts_are_filled_in_from_fields():
    found = recordings(
        {"x": {"action": "1", "who": "ann", "take": "7"}},
        label="{action}",
        group="{who}",
        pair="{who}/{take}",
        classes={1: "no"},
    )
    assert [(r.label, r.group, r.pair) for r in found] == [("no", "ann", "ann/7")]
    assert labels({"x": {}}, label="yes") == ["yes"]


def test_a_group_is_taken_where_there_is_one():
    entries = {"a": {"label": "yes", "group": "ann"}, "b": {"label": "yes"}}
    assert [r.group for r in recordings(entries)] == ["ann", ""]
    assert [r.group for r in recordings(entries, group="studio")] == ["studio", "studio"]


@pytest.mark.parametrize("rule", ["label", "group", "pair"])
def test_a_field_that_is_not_there_names_the_nearest(rule):
    with pytest.raises(ConfigError, match=rf"'listed': {rule}: .*'wriiter'; did you mean 'writer'"):
        recordings({"x": {"label": "yes", "writer": "ann"}}, **{rule: "{wriiter}"})


def test_a_regex_makes_fields_of_names_and_leaves_out_what_does_not_match():
    entries = {"yes_s1_t2.csv": {}, "no_s12_t3.csv": {}, "README.csv": {}}
    found = recordings(
        entries, regex=r"^(?P<label>[a-z]+)_s(?P<group>\d+)_t(?P<take>\d)", pair="{group}.{take}"
    )
    assert [(r.label, r.group, r.pair) for r in found] == [("yes", "1", "1.2"), ("no", "12", "12.3")]


@pytest.mark.parametrize("regex", ["(", "s[0-9]+", "(?P<1>x)"])
def test_a_regex_that_names_nothing_is_refused(regex):
    with pytest.raises(ValidationError, match=r"no named group|not a regular expression"):
        recordings({}, regex=regex)


@given(
    st.dictionaries(st.text(max_size=4), st.sampled_from(["yes", "no", None]), max_size=6),
    st.lists(st.text(max_size=4), max_size=3),
    st.lists(st.text(max_size=4), max_size=8, unique=True),
)
def test_every_class_becomes_a_label_a_negative_or_nothing(classes, drop, seen):
    """Dropped first, then mapped, then taken as it is."""
    entries = {str(index): {"label": found} for index, found in enumerate(seen)}
    got = {r.name: r.label for r in recordings(entries, classes=classes, drop=drop, others="drop")}
    for name, fields in entries.items():
        found = fields["label"]
        if found in drop:
            assert name not in got
        elif found in classes:
            assert got[name] == classes[found]
        else:
            assert got.get(name) == (found if found in LABELS else None)


@given(st.text(max_size=12))
def test_what_stands_in_a_field_is_never_filled_in_again(value):
    (found,) = recordings({"x": {"label": "yes", "group": value, "secret": "!"}}, group="<{group}>")
    assert found.group == f"<{value}>"
