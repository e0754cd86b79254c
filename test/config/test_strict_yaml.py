from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from omnibind_ros.config.strict_yaml import StrictModel, dump_yaml, load_yaml, read_yaml
from omnibind_ros.errors import ConfigError


class Leaf(StrictModel):
    kind: Literal["round", "pointed"] = "round"
    length_m: float = 0.1


class Tree(StrictModel):
    height_m: float
    leaves: dict[str, Leaf] = Field(default_factory=dict)


def load(tmp_path: Path, text: str) -> Tree:
    path = tmp_path / "tree.yaml"
    path.write_text(text)
    return load_yaml(path, Tree)


def complaint(tmp_path: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    line = str(caught.value)
    assert "\n" not in line
    prefix = f"{tmp_path / 'tree.yaml'}"
    assert line.startswith(prefix)
    return line[len(prefix) :]


def test_a_valid_file_becomes_the_model(tmp_path):
    tree = load(tmp_path, "height_m: 3\nleaves:\n  oak: {kind: pointed, length_m: 1e-1}\n")
    assert tree == Tree(height_m=3.0, leaves={"oak": Leaf(kind="pointed", length_m=0.1)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "height_m: 3\nleaves:\n  oak:\n    lenght_m: 2\n",
            ", line 4: leaves.oak.lenght_m: unknown key; did you mean 'length_m'?",
        ),
        (
            "height_m: 3\nleaves: {oak: {kind: rond}}\n",
            ", line 2: leaves.oak.kind: 'rond' is not valid; did you mean 'round'?",
        ),
        ("leaves: {}\n", ", line 1: height_m: this key is missing"),
        (
            "\nheight: 3\n",
            ", line 2: height: unknown key; did you mean 'height_m'? (and 1 more mistake)",
        ),
        ("height_m: tall\n", ", line 1: height_m: should be a valid number, not 'tall'"),
        ("height_m: true\n", ", line 1: height_m: should be a valid number, not True"),
        ("height_m: 3\n\nheight_m: 4\n", ", line 3: height_m: given twice, first in line 1"),
        (
            "height_m: 3\nleaves: {a: {length_m: 1, length_m: 1}}",
            ", line 2: leaves.a.length_m: given twice, first in line 2",
        ),
        ("height_m: 3\nleaves: 4\n", ", line 2: leaves: should be a mapping of keys to values, not 4"),
        ("[]", ", line 1: should be a mapping of keys to values, not a list"),
    ],
)
def test_a_mistake_is_one_line_with_line_number_and_key(tmp_path, text, expected):
    assert complaint(tmp_path, text) == expected


class Apple(StrictModel):
    fruit: Literal["apple"]
    worms: int = 0


class Nut(StrictModel):
    fruit: Literal["nut"]
    shell_mm: float


class Basket(StrictModel):
    fruits: dict[str, Annotated[Apple | Nut, Field(discriminator="fruit")]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{fruit: apple,\n wroms: 1}", "line 3: fruits.a.wroms: unknown key; did you mean 'worms'?"),
        ("{fruit: nut}", "line 2: fruits.a.shell_mm: this key is missing"),
        ("{fruit: nut, shell_mm: thin}", "line 2: fruits.a.shell_mm: should be a valid number, not 'thin'"),
        ("{\n fruit: aple}", "line 3: fruits.a.fruit: 'aple' is not valid; did you mean 'apple'?"),
        ("{\n friut: apple}", "line 3: fruits.a.friut: unknown key; did you mean 'fruit'?"),
        ("{worms: 1}", "line 2: fruits.a.fruit: this key is missing; valid: apple, nut"),
        ("3", "line 2: fruits.a: should be a mapping of keys to values, not 3"),
    ],
)
def test_where_a_key_chooses_the_kind_mistakes_are_as_precise(tmp_path, text, expected):
    path = tmp_path / "basket.yaml"
    path.write_text(f"fruits:\n  a: {text}\n")
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, Basket)
    assert str(caught.value) == f"{path}, {expected}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("height_m: 3\nleaves: {oak: [\n", ", line 3: "),
        ("height_m: 3\n\tleaves: 2\n", ", line 2: "),
        ("height_m: *nowhere\n", ", line 1: "),
        ("a: 1\nheight_m: !!python/object:os.system {}\n", ", line 2: "),
        ("a: 1\n? [x]\n: 2\n", ", line 2: "),
        ("\0", ": "),
        ("[" * 5000, ""),
    ],
)
def test_broken_yaml_is_one_line(tmp_path, text, line):
    assert complaint(tmp_path, text).startswith(f"{line}")


def test_what_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read: No such file"):
        load_yaml(tmp_path / "none.yaml", Tree)
    (tmp_path / "tree.yaml").write_bytes(b"height_m: \xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_yaml(tmp_path / "tree.yaml", Tree)


def test_words_numbers_and_dates_are_those_of_yaml_1_2(tmp_path):
    path = tmp_path / "any.yaml"
    path.write_text("[on, no, 2025-01-31, 12:30, 010, 1e-3, .inf, true, ~, 0x10, -5]")
    expected = ["on", "no", "2025-01-31", "12:30", "010", 0.001, float("inf"), True, None, 16, -5]
    assert read_yaml(path).data == expected


def test_anchors_and_merge_keys_work_and_a_loop_is_refused(tmp_path):
    tree = load(tmp_path, "height_m: 1\nleaves: {a: &a {kind: pointed}, b: {<<: *a, length_m: 2}}")
    assert tree.leaves["b"] == Leaf(kind="pointed", length_m=2.0)
    assert "line 2" in complaint(tmp_path, "height_m: 1\nleaves: &loop {a: *loop}")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_what_is_dumped_is_read_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("yaml") / "value.yaml"
    path.write_text(dump_yaml({"value": value}), encoding="utf-8")
    assert read_yaml(path).data == {"value": value}


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@?, \n#1.~<", max_size=40))
def test_any_text_is_a_document_or_one_line(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("yaml") / "fuzz.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        load_yaml(path, Tree)
    except ConfigError as error:
        said = str(error)
    else:
        return
    assert "\n" not in said
    assert "fuzz.yaml" in said
