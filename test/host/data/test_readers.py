"""Files -> raw samples, for every format, from any folder above them."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_recordings import write_tiny_root

from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data.readers import read_recordings
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.data.splits import split_of

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
    with pytest.raises(BadRecording, match="no data folder"):
        read_recordings(RECIPE, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadRecording, match=r"audio/\{label\}"):
        read_recordings(RECIPE, tmp_path / "empty", ("audio",))


AS_OF_OLD = [
    "audio/3_ann_0.wav 3 ann train",
    "audio/3_ann_1.wav 3 ann train",
    "audio/3_ann_2.wav 3 ann train",
    "audio/3_lucas_0.wav 3 lucas test",
    "audio/3_lucas_1.wav 3 lucas test",
    "audio/3_lucas_2.wav 3 lucas test",
    "audio/5_ann_0.wav 5 ann train",
    "audio/5_ann_1.wav 5 ann train",
    "audio/5_ann_2.wav 5 ann train",
    "audio/5_lucas_0.wav 5 lucas test",
    "audio/5_lucas_1.wav 5 lucas test",
    "audio/5_lucas_2.wav 5 lucas test",
    "image_signs/3/IMG_1.JPG 3  train",
    "image_signs/5/IMG_1.JPG 5  train",
    "image_mnist/images-idx3-ubyte.gz#0 3  dev",
    "image_mnist/images-idx3-ubyte.gz#1 5  train",
    "image_mnist/images-idx3-ubyte.gz#2 3  train",
    "image_mnist/images-idx3-ubyte.gz#3 5  train",
    "event/1.bs2 5  train",
    "touch/spikes.npz#0 3 AT test",
    "touch/spikes.npz#1 0 BZ train",
    "touch/spikes.npz#2 5 HM dev",
    "point_cloud/stroke_3_0001.csv 3  train",
    "thermal_hand/session_1/Paper/Paper.001.jpg 5 session_1 test",
    "thermal_hand/session_2/Scissor/Scissor.001.jpg 2 session_2 train",
    "thermal_hand/session_2/Unknown/Unknown.001.jpg None session_2 dev",
]


def test_the_meaning_of_digits_is_that_of_earlier_runs(tmp_path):
    """Which recordings, in which order, of which label and split: a finished run stays valid."""
    found = read_recordings(RECIPE, write_tiny_root(tmp_path))
    rules = {source.name: RECIPE.split_rule(source.name) for source in RECIPE.sources}
    listed = [f"{r.name} {r.label} {r.group} {split_of(r, rules[r.source])}" for r in found]
    assert listed == AS_OF_OLD


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
