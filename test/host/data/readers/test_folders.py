"""A folder per class."""

from __future__ import annotations

import numpy as np
import pytest
from recipes import read

from omnibind_ros.errors import BadRecording, ConfigError

CLOUD = {"modality": "point_cloud", "reader": "folders"}


@pytest.fixture
def folder(tmp_path):
    for name in ("clouds/yes/b.csv", "clouds/yes/deep/a.npy", "clouds/no/c.csv", "clouds/no/notes.md"):
        file = tmp_path / "data" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".npy":
            np.save(file, np.ones((9, 3), np.float32))
        else:
            file.write_text("1,2,3\n" * 9)
    return tmp_path


def test_the_folder_is_the_class_however_deep_the_file(folder):
    found = read(folder, {**CLOUD, "path": "clouds"})
    assert [(r.name, r.label) for r in found] == [
        ("clouds/no/c.csv", "no"),
        ("clouds/yes/b.csv", "yes"),
        ("clouds/yes/deep/a.npy", "yes"),
    ]
    assert all(r.load().shape == (9, 3) for r in found)
    assert found[0].file == folder / "data/clouds/no/c.csv"


def test_the_root_itself_may_hold_the_folders(folder):
    (folder / "data").rename(folder / "above")
    (folder / "above/clouds").rename(folder / "data")
    assert [r.name for r in read(folder, {**CLOUD, "path": "."})] == [
        "no/c.csv",
        "yes/b.csv",
        "yes/deep/a.npy",
    ]


def test_files_may_be_chosen_by_name(folder):
    assert [r.name for r in read(folder, {**CLOUD, "path": "clouds", "files": "a*"})] == [
        "clouds/yes/deep/a.npy"
    ]
    (notes,) = read(folder, {**CLOUD, "path": "clouds", "files": "*.md"})
    with pytest.raises(BadRecording, match=r"notes\.md: files of point_cloud end with"):
        notes.load()


def test_a_folder_that_is_no_class_is_refused(folder):
    (folder / "data/clouds/no").rename(folder / "data/clouds/nope")
    with pytest.raises(ConfigError, match=r"class 'nope' of clouds/nope/c\.csv .*did you mean 'no'"):
        read(folder, {**CLOUD, "path": "clouds"})


def test_several_sources_are_one_class_by_meaning(folder):
    (folder / "data/more/ja").mkdir(parents=True)
    (folder / "data/more/ja/d.csv").write_text("1,2,3\n" * 9)
    found = read(folder, {**CLOUD, "path": "clouds"}, {**CLOUD, "path": "more", "classes": {"ja": "yes"}})
    assert [(r.source, r.name) for r in found if r.label == "yes"] == [
        ("source_0", "clouds/yes/b.csv"),
        ("source_0", "clouds/yes/deep/a.npy"),
        ("source_1", "more/ja/d.csv"),
    ]
