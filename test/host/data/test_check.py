"""What is wrong with recordings is found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recipes import write_recipe

from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data.check import CheckResult, check
from omnibind_ros.host.data.check_cache import CheckCache
from omnibind_ros.host.data.recipe import Recipe, load_recipe

CLOUD = {
    "modality": "point_cloud",
    "reader": "pattern",
    "path": "clouds/{label}_{group}_{take}.csv",
    "pair": "{label} {group} {take}",
}
TEXT = {**CLOUD, "modality": "text", "path": "texts/{label}_{group}_{take}.txt"}


@pytest.fixture
def folder(tmp_path):
    """Two people, two takes of yes and no, each a cloud and a text."""
    rng = np.random.default_rng(0)
    for kind in ("clouds", "texts"):
        (tmp_path / "data" / kind).mkdir(parents=True)
    for label in ("yes", "no"):
        for who in ("ann", "bob"):
            for take in "12":
                name = f"{label}_{who}_{take}"
                np.savetxt(tmp_path / f"data/clouds/{name}.csv", rng.normal(0, 1, (20, 3)), delimiter=",")
                (tmp_path / f"data/texts/{name}.txt").write_text(f"{label}, says {who} in {take}")
    return tmp_path


def recipe_of(folder: Path) -> Recipe:
    return write_recipe(folder, CLOUD, TEXT, split={"test_groups": ["bob"]})


def checked(folder: Path, recipe: Recipe | None = None) -> CheckResult:
    return check(recipe or recipe_of(folder), folder / "data", CheckCache())


def problems(report: CheckResult) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for finding in report.problems:
        found.setdefault(finding.kind, []).append(finding.text)
    return found


def test_good_recordings_are_counted_and_nothing_is_said(folder):
    report = checked(folder)
    assert report.problems == report.notes == []
    for modality in ("point_cloud", "text"):
        assert report.count(modality, "yes") == 4
        assert report.count(modality, "no", "train") == report.count(modality, "no", "test") == 2
        assert report.count(modality) == 0
    assert report.pairs == 8
    assert report.groups == {"source_0": 2, "source_1": 2}


def test_unreadable_files_are_named_and_not_counted(folder):
    (folder / "data/clouds/yes_ann_1.csv").write_text("1,2\n3")
    (folder / "data/texts/no_bob_2.txt").write_bytes(b"\xff\xfe")
    report = checked(folder)
    found = problems(report)
    assert list(found) == ["unreadable"]
    assert [Path(text.split(":")[0].split()[-1]).name for text in found["unreadable"]] == [
        "yes_ann_1.csv",
        "no_bob_2.txt",
    ]
    assert report.count("point_cloud", "yes") == report.count("text", "no") == 3


def test_the_same_content_in_two_splits_is_a_leak(folder):
    same = (folder / "data/clouds/yes_ann_1.csv").read_text()
    (folder / "data/clouds/yes_ann_2.csv").write_text(same)
    report = checked(folder)
    assert problems(report) == {}
    assert [finding.text for finding in report.notes] == ["1 recordings have the same content as another one"]
    (folder / "data/clouds/yes_bob_1.csv").write_text(same + "\n")
    (leak,) = checked(folder).problems
    assert leak.kind == "duplicate"
    assert leak.text.endswith(
        "clouds/yes_ann_1.csv (train), clouds/yes_ann_2.csv (train), clouds/yes_bob_1.csv (test)"
    )
    assert leak.recordings == ("clouds/yes_ann_1.csv", "clouds/yes_ann_2.csv", "clouds/yes_bob_1.csv")


def test_the_same_content_under_two_labels_is_a_contradiction(folder):
    same = (folder / "data/texts/yes_ann_1.txt").read_text()
    (folder / "data/texts/no_ann_1.txt").write_text(same)
    (finding,) = checked(folder).problems
    assert finding.kind == "contradiction" and "with labels no, yes" in finding.text


def test_a_moment_torn_apart_by_the_splits_is_a_leak(folder):
    recipe = write_recipe(folder, {**CLOUD, "split": {"test_groups": ["bob"]}}, TEXT)
    found = problems(checked(folder, recipe))
    assert list(found) == ["pair"] and len(found["pair"]) == 4
    assert "the moment 'no bob 1' in several splits: clouds/no_bob_1.csv (test), texts" in found["pair"][0]


def test_classes_without_recordings_are_told(folder):
    for file in (folder / "data/clouds").glob("no_*"):
        file.unlink()
    report = checked(folder)
    assert problems(report) == {}
    assert [note.text for note in report.notes] == ["point_cloud has no recordings of no"]
    for file in (folder / "data/texts").glob("no_ann*"):
        file.unlink()
    assert "text has no recordings in the train split of no" in [n.text for n in checked(folder).notes]
    for file in (folder / "data/texts").glob("no_*"):
        file.unlink()
    assert problems(checked(folder))["empty"] == ["class 'no' has no recordings in any modality"]


def test_a_source_that_is_not_there_or_cannot_be_listed_does_not_hide_the_others(folder):
    elsewhere = {**CLOUD, "path": "elsewhere/{label}.csv", "pair": ""}
    table = {"modality": "text", "reader": "table", "path": "list.csv"}
    (folder / "data/list.csv").write_text("file,label\nx\n")
    report = checked(folder, write_recipe(folder, CLOUD, elsewhere, table))
    assert list(problems(report)) == ["missing", "unreadable"]
    assert "source source_1: no file matches elsewhere/{label}.csv" in problems(report)["missing"][0]
    assert report.count("point_cloud", "yes") == 4


def test_recordings_without_a_signal_are_noted(folder):
    (folder / "data/clouds/yes_ann_1.csv").write_text("1,2,3\n" * 20)
    (note,) = checked(folder).notes
    assert note.kind == "silent" and "no signal in 1 recordings" in note.text
    assert note.recordings == ("clouds/yes_ann_1.csv",)


def test_negatives_are_counted_apart(folder):
    report = checked(folder, write_recipe(folder, {**CLOUD, "classes": {"no": None}}, TEXT))
    assert report.count("point_cloud") == 4 and report.count("point_cloud", "no") == 0


def test_all_of_it_is_plain_data(folder):
    (folder / "data/clouds/yes_ann_1.csv").write_text("x")
    recipe = recipe_of(folder)
    found = json.loads(json.dumps(checked(folder, recipe).to_json(recipe)))
    assert found["table"]["point_cloud"] == {"yes": 3, "no": 4}
    assert found["splits"]["text"]["test"] == {"yes": 2, "no": 2}
    assert found["problems"][0]["kind"] == "unreadable"
    assert found["problems"][0]["recordings"] == ["clouds/yes_ann_1.csv"]


def test_a_root_that_is_no_folder_is_refused(folder):
    with pytest.raises(BadRecording, match="no data folder"):
        check(recipe_of(folder), folder / "nowhere", CheckCache())


@pytest.mark.parametrize("name", ["digits", "actions"])
def test_the_real_recordings_are_what_the_shipped_recipes_say(data_root, name):
    recipe = load_recipe(name)
    report = check(recipe, data_root, CheckCache())
    assert report.problems == []
    assert all(report.sources.values())
    assert (report.pairs > 0) == (name == "actions")
