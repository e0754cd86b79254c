"""Patterns of paths."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.host.data.files import Files, compile_pattern, files_below


def found(pattern: str, *paths: str) -> list[tuple[str, dict[str, str]]]:
    matches = Files(Path("root"), paths).matching(compile_pattern(pattern))
    return [(match.name, match.fields) for match in matches]


def test_holes_become_fields_and_names_do_not_depend_on_the_root():
    expected = [("audio/3_ann_0.wav", {"label": "3", "group": "ann"})]
    for above in ("", "digits/", "a/b/"):
        assert found("audio/{label}_{group}_{}.wav", f"{above}audio/3_ann_0.wav") == expected
    assert found("audio/{label}.wav", "noaudio/3.wav", "audio/x/3.wav", "audio/3.wave") == []


def test_a_hole_may_say_what_it_looks_like():
    pattern = r"{label:[a-z_]+}_{take:\d{2}}.csv"
    assert found(pattern, "sit_to_stand_07.csv") == [
        ("sit_to_stand_07.csv", {"label": "sit_to_stand", "take": "07"})
    ]
    assert found(pattern, "sit_to_stand_7.csv") == []


def test_a_name_used_twice_is_the_same_text():
    assert [fields["label"] for _, fields in found("{label}/{label}_{}.png", "a/a_1.png", "a/b_1.png")] == [
        "a"
    ]


@pytest.mark.parametrize("pattern", ["{label", "label}", "{a b}", "{label:(}", "{label:[}"])
def test_a_pattern_that_is_none_is_refused(pattern):
    with pytest.raises(ValueError, match=r"unmatched brace|invalid regular expression"):
        compile_pattern(pattern)


words = st.text(string.ascii_letters + string.digits + " .+()[]$^\\-", min_size=1, max_size=8).filter(
    lambda word: word.strip(". ")
)


@given(st.lists(words, min_size=3, max_size=3), words, words)
def test_what_was_put_in_is_read_out(values, folder, ending):
    """Whatever characters a path has, also those that mean something in a regular expression."""
    names = ("label", "group", "take")
    pattern = f"{folder}/" + "_".join(f"{{{name}}}" for name in names) + f"_{ending}"
    path = f"{folder}/" + "_".join(values) + f"_{ending}"
    assert found(pattern, f"above/{path}") == [(path, dict(zip(names, values, strict=True)))]


@given(st.text(max_size=20))
def test_any_text_is_a_pattern_or_says_why_not(text):
    try:
        compile_pattern(text)
    except ValueError as error:
        assert str(error)


def test_files_are_sorted_and_hidden_ones_left_out(tmp_path):
    for name in ("b/2.wav", "a/1.wav", ".git/3.wav", "a/.DS_Store", "0.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files_below(tmp_path).paths == ("0.wav", "a/1.wav", "b/2.wav")
