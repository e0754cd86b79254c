"""Nothing is read twice to be checked, and nothing stale is believed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data import check_cache as module
from omnibind_ros.host.data.check_cache import CheckCache
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.registry import make_preprocessor

ADAPTOR = make_preprocessor("point_cloud")


class Reader:
    """Counts how often it is asked."""

    def __init__(self, raw: object) -> None:
        self.raw, self.asked = raw, 0

    def __call__(self) -> object:
        self.asked += 1
        if isinstance(self.raw, Exception):
            raise self.raw
        return self.raw


@pytest.fixture(autouse=True)
def forget_file_states():
    module._state.cache_clear()


def recording(file: Path, load: Reader) -> Recording:
    return Recording("point_cloud", "source", file.name, "yes", "", load, file=file)


def again(tmp_path: Path, load: Reader, rules: str = "") -> module.Content:
    """One more check of one file."""
    module._state.cache_clear()
    cache = CheckCache(tmp_path / "cache/check.json")
    content = cache.content(recording(tmp_path / "a.csv", load), ADAPTOR, rules)
    cache.save()
    return content


def test_a_file_is_read_again_only_if_it_or_the_rules_changed(tmp_path):
    file, load = tmp_path / "a.csv", Reader(np.ones((9, 3), np.float32))
    file.write_text("1")
    first = again(tmp_path, load)
    assert again(tmp_path, load) == first and load.asked == 1
    file.write_text("12")
    assert again(tmp_path, load) == first and load.asked == 2
    os.utime(file, ns=(1, 1))
    assert again(tmp_path, load) == first and load.asked == 3
    again(tmp_path, load, "other rules")
    assert load.asked == 4


def test_what_was_unreadable_is_remembered_too(tmp_path):
    (tmp_path / "a.csv").write_text("1")
    load = Reader(BadRecording("it is broken"))
    assert again(tmp_path, load).problem == again(tmp_path, load).problem == "it is broken"
    assert load.asked == 1


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"source/a.csv": 3}', '{"source/a.csv": {"state": ""}}'])
def test_a_damaged_memory_is_forgotten(tmp_path, damage):
    (tmp_path / "a.csv").write_text("1")
    load = Reader(np.ones((9, 3), np.float32))
    again(tmp_path, load)
    (tmp_path / "cache/check.json").write_text(damage)
    assert again(tmp_path, load).digest
    assert load.asked == 2


def test_a_memory_that_cannot_be_kept_is_no_error(tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    (tmp_path / "a.csv").write_text("1")
    assert again(tmp_path, Reader(np.ones((9, 3), np.float32))).digest


def digest(raw: object, modality: str) -> str:
    load = Reader(raw)
    return CheckCache().content(recording(Path("nowhere"), load), make_preprocessor(modality), "").digest


@pytest.mark.parametrize("modality", ["event", "text", "image", "touch"])
def test_equal_samples_have_equal_digests_and_others_do_not(modality):
    first, second, other = (Scene(label, 0).sample(modality) for label in (3, 3, 4))
    assert digest(first, modality) == digest(second, modality) != digest(other, modality)


def test_equal_bytes_of_another_shape_are_another_sample():
    values = np.arange(27, dtype=np.uint8)
    assert digest(values.reshape(1, 9, 3), "image") != digest(values.reshape(3, 3, 3), "image")
