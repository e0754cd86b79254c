"""Files -> raw samples, for every format, from any folder above them."""

from __future__ import annotations

import numpy as np
import pytest

from omnibind_ros.core import BadRecording
from omnibind_ros.data.readers import read_recordings
from omnibind_ros.data.recipe import load_recipe

RECIPE = load_recipe("digits")


def by_source(root, *modalities):
    found = {}
    for recording in read_recordings(RECIPE, root, modalities or None):
        found.setdefault(recording.source, []).append(recording)
    return found


def test_every_source_is_found_wherever_the_root_is(tiny_root):
    from_above = by_source(tiny_root)
    assert {name: len(found) for name, found in from_above.items()} == {
        "spoken": 12,
        "signs": 2,
        "handwritten": 4,
        "saccades": 1,
        "traced": 3,
        "drawn_in_air": 1,
        "thermal_hands": 3,
    }
    from_inside = by_source(tiny_root / "digits")
    assert [r.name for f in from_inside.values() for r in f] == [
        r.name for f in from_above.values() for r in f
    ]


def test_labels_and_groups_come_from_paths(tiny_root):
    spoken = by_source(tiny_root)["spoken"]
    assert {(r.label, r.group) for r in spoken} == {(d, s) for d in "35" for s in ("ann", "lucas")}
    thermal = by_source(tiny_root)["thermal_hands"]
    assert {(r.label, r.group) for r in thermal} == {
        ("5", "session_1"),
        ("2", "session_2"),
        (None, "session_2"),
    }


def test_a_letter_o_is_taken_for_a_zero(tiny_root):
    assert [r.label for r in by_source(tiny_root)["traced"]] == ["3", "0", "5"]


def test_sound_is_mono_float_at_the_models_rate(tiny_root):
    sound = by_source(tiny_root)["spoken"][0].load()
    assert sound.dtype == np.float32 and sound.shape == (2000,)
    assert 0.02 < np.abs(sound).max() <= 1


def test_pictures_are_rgb(tiny_root):
    for name, shape in (("signs", (40, 40, 3)), ("handwritten", (28, 28, 3))):
        picture = by_source(tiny_root)[name][0].load()
        assert picture.dtype == np.uint8 and picture.shape == shape
    assert [r.label for r in by_source(tiny_root)["handwritten"]] == ["3", "5", "3", "5"]


def test_events_are_decoded_and_put_in_order(tiny_root):
    (recording,) = by_source(tiny_root)["saccades"]
    events = recording.load()
    assert recording.label == "5"
    assert events.t.tolist() == [300_000, 70_000_000]
    assert (events.x.tolist(), events.y.tolist(), events.p.tolist()) == ([33, 1], [0, 2], [False, True])


def test_spikes_are_unpacked(tiny_root):
    as_they_were = np.load(tiny_root / "spikes_as_they_were.npy")
    for recording, frames in zip(by_source(tiny_root)["traced"], as_they_were, strict=True):
        np.testing.assert_array_equal(recording.load(), frames.astype(np.float32))


def test_points_are_metres(tiny_root):
    points = by_source(tiny_root)["drawn_in_air"][0].load()
    assert points.shape == (30, 3) and points.dtype == np.float32
    assert 0.02 < np.abs(points).max() < 1


def test_thermal_pictures_are_one_intensity(tiny_root):
    picture = by_source(tiny_root)["thermal_hands"][0].load()
    assert picture.shape == (32, 32) and picture.dtype == np.float32


def test_one_label_of_one_modality(tiny_root):
    assert {r.label for r in read_recordings(RECIPE, tiny_root, ("audio",), label="3")} == {"3"}


def test_a_modality_without_recordings_is_refused(tiny_root):
    with pytest.raises(BadRecording, match="no recordings of text"):
        read_recordings(RECIPE, tiny_root, ("text",))


def test_a_missing_root_or_source_says_where_it_looked(tiny_root, tmp_path):
    with pytest.raises(BadRecording, match="no folder"):
        read_recordings(RECIPE, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadRecording, match=r"audio/\{label\}"):
        read_recordings(RECIPE, tmp_path / "empty", ("audio",))


@pytest.mark.parametrize(
    "file",
    [
        "audio/3_ann_0.wav",
        "image_signs/3/IMG_1.JPG",
        "event/1.bs2",
        "point_cloud/stroke_3_0001.csv",
        "thermal_hand/session_1/Paper/Paper.001.jpg",
    ],
)
def test_a_damaged_file_is_named(tiny_root, file):
    damaged = tiny_root / "digits" / file
    damaged.write_bytes(b"\x00\x01 this is not it")
    (recording,) = [r for r in read_recordings(RECIPE, tiny_root) if r.name.endswith(file)]
    with pytest.raises(BadRecording, match=damaged.name):
        recording.load()
