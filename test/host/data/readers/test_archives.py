"""Archives of named arrays (npz, mat) and IDX."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest
from recipes import read

from omnibind_ros.errors import BadRecording

scipy_io = pytest.importorskip("scipy.io")

CLOUDS = np.arange(4 * 9 * 3, dtype=np.float64).reshape(4, 9, 3)
CLOUD = {"modality": "point_cloud", "data": "clouds", "classes": {1: "yes", 0: "no"}}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    many = {"clouds": CLOUDS, "label": np.array([1, 0, 1, 1]), "who": np.array(["a", "b", "a", "c"])}
    np.savez(tmp_path / "data/many.npz", **many)
    scipy_io.savemat(tmp_path / "data/many.mat", {**many, "other": np.zeros(7)})
    for label, values in enumerate(CLOUDS[:2]):
        np.savez(tmp_path / f"data/{label}_one.npz", clouds=values)
        scipy_io.savemat(tmp_path / f"data/{label}_one.mat", {"clouds": values})
    return tmp_path


@pytest.mark.parametrize("kind", ["npz", "mat"])
def test_rows_are_recordings_and_the_arrays_beside_them_fields(folder, kind):
    source = {**CLOUD, "reader": kind, "path": f"many.{kind}", "many": True, "group": "{who}"}
    found = read(folder, source)
    assert [(r.name, r.label, r.group) for r in found] == [
        (f"many.{kind}#0", "yes", "a"),
        (f"many.{kind}#1", "no", "b"),
        (f"many.{kind}#2", "yes", "a"),
        (f"many.{kind}#3", "yes", "c"),
    ]
    for recording, values in zip(found, CLOUDS, strict=True):
        np.testing.assert_array_equal(recording.load(), values)


@pytest.mark.parametrize("kind", ["npz", "mat"])
def test_or_a_file_is_a_recording(folder, kind):
    found = read(folder, {**CLOUD, "reader": kind, "path": f"{{label}}_one.{kind}", "many": False})
    assert [r.label for r in found] == ["no", "yes"]
    np.testing.assert_array_equal(found[1].load(), CLOUDS[1])


@pytest.mark.parametrize("kind", ["npz", "mat"])
def test_an_array_that_is_not_there_names_the_nearest(folder, kind):
    source = {**CLOUD, "reader": kind, "path": f"many.{kind}", "many": True, "data": "cloudz"}
    with pytest.raises(BadRecording, match=rf"many\.{kind} has no array 'cloudz'; did you mean 'clouds'"):
        read(folder, source)


@pytest.mark.parametrize("kind", ["npz", "mat"])
def test_a_damaged_archive_is_named(folder, kind):
    (folder / f"data/many.{kind}").write_bytes(b"not an archive")
    with pytest.raises(BadRecording, match=rf"many\.{kind}"):
        read(folder, {**CLOUD, "reader": kind, "path": f"many.{kind}", "many": True})
    recordings = read(folder, {**CLOUD, "reader": kind, "path": f"{{label}}_one.{kind}", "many": False})
    (folder / f"data/0_one.{kind}").write_bytes(b"not an archive")
    with pytest.raises(BadRecording, match=rf"0_one\.{kind}"):
        recordings[0].load()


def test_objects_in_an_archive_are_not_unpickled(tmp_path):
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data/many.npz", clouds=np.array([print, "x"], object))
    with pytest.raises(BadRecording, match="allow_pickle"):
        read(tmp_path, {**CLOUD, "reader": "npz", "path": "many.npz"})


def test_idx_of_any_number_and_label_file(tmp_path):
    (tmp_path / "data").mkdir()
    values = np.array([[[-1.5, 2.0], [0.0, 1.0]]] * 2, ">f4")
    (tmp_path / "data/heat").write_bytes(struct.pack(">HBBIII", 0, 0x0D, 3, 2, 2, 2) + values.tobytes())
    (tmp_path / "data/what.gz").write_bytes(gzip.compress(struct.pack(">HBBI", 0, 8, 1, 2) + bytes([0, 1])))
    source = {"modality": "thermal", "reader": "idx", "path": "heat", "labels": "what.gz"}
    found = read(tmp_path, {**source, "classes": {0: "no", 1: "yes"}})
    assert [(r.name, r.label) for r in found] == [("heat#0", "no"), ("heat#1", "yes")]
    np.testing.assert_array_equal(found[0].load(), values[0])


@pytest.mark.parametrize("data", [b"", b"\0\0\x08\x01\0\0\0\x09abc", b"\1\0\x08\x01\0\0\0\0"])
def test_a_damaged_idx_file_is_named(tmp_path, data):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/heat").write_bytes(data)
    with pytest.raises(BadRecording, match="heat"):
        read(tmp_path, {"modality": "thermal", "reader": "idx", "path": "heat", "labels": "heat"})
