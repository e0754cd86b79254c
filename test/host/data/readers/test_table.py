"""A table with a line a recording."""

from __future__ import annotations

import sys

import pytest
from recipes import read

from omnibind_ros.errors import BadRecording, ConfigError
from omnibind_ros.host.data.readers.table import read_table

TABLE = {"modality": "text", "reader": "table", "path": "said/list.csv"}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data/said").mkdir(parents=True)
    for name in "abc":
        (tmp_path / f"data/said/{name}.txt").write_text(f"words of {name}")
    lines = ["file,label,speaker,moment", "b.txt,yes,ann,2", 'a.txt,no,"bob, jr",1', "c.txt,ja,ann,2"]
    (tmp_path / "data/said/list.csv").write_text("\n".join(lines))
    return tmp_path


def test_columns_are_fields_and_the_order_is_that_of_the_paths(folder):
    found = read(folder, {**TABLE, "group": "{speaker}", "pair": "{moment}", "classes": {"ja": "yes"}})
    assert [(r.name, r.label, r.group, r.pair) for r in found] == [
        ("said/a.txt", "no", "bob, jr", "1"),
        ("said/b.txt", "yes", "ann", "2"),
        ("said/c.txt", "yes", "ann", "2"),
    ]
    assert [r.load() for r in found] == ["words of a", "words of b", "words of c"]


def test_files_may_be_named_by_several_columns(folder):
    (folder / "data/said/list.csv").write_text("name,label\na,yes\n")
    (found,) = read(folder, {**TABLE, "file": "{name}.txt"})
    assert found.load() == "words of a"


def test_a_listed_file_that_is_not_there_is_told_when_it_is_read(folder):
    (folder / "data/said/a.txt").unlink()
    recording = read(folder, {**TABLE, "others": "drop"})[0]
    with pytest.raises(BadRecording, match=r"a\.txt does not exist, but .*list\.csv lists it"):
        recording.load()


def test_a_column_that_is_not_there_names_the_nearest(folder):
    with pytest.raises(ConfigError, match=r"no field 'speeker'; did you mean 'speaker'"):
        read(folder, {**TABLE, "group": "{speeker}"})


@pytest.mark.parametrize("text", ["file,label\na.txt\n", "file,label\na.txt,yes,more\n", 'file\n"a', "\xff"])
def test_a_damaged_table_is_named(tmp_path, text):
    file = tmp_path / "list.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadRecording, match=r"list\.csv"):
        read_table(file)


def test_parquet_without_its_module_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pip install pyarrow"):
        read_table(tmp_path / "list.parquet")


def test_parquet_is_a_table_too(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    file = tmp_path / "list.parquet"
    parquet.write_table(pyarrow.table({"file": ["a.txt"], "label": [3]}), file)
    assert read_table(file) == [{"file": "a.txt", "label": "3"}]
