"""Files and arrays -> raw samples."""

from __future__ import annotations

import gzip
import wave
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data.decode import Decoder, SampleRules
from omnibind_ros.modalities.registry import make_preprocessor

FILE = Path("somewhere.npy")
SERIES = {"adaptor": "series", "channels": 3, "rate": 50}


def decoder(modality: str, preprocessing: dict[str, Any] | None = None, **rules: Any) -> Decoder:
    return Decoder(make_preprocessor(modality, preprocessing), SampleRules(**rules))


def test_grey_arrays_and_pictures_become_rgb(tmp_path):
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for values in (grey, grey[..., None], grey.astype(np.float32)):
        picture = decoder("image").array(values, FILE)
        assert picture.dtype == np.uint8
        np.testing.assert_array_equal(picture, np.repeat(grey[..., None], 3, axis=-1))
    deep = grey.astype(np.uint16) << 8
    np.testing.assert_array_equal(decoder("image").array(deep, FILE)[..., 0], grey)
    cv2.imwrite(str(tmp_path / "grey.png"), grey)
    np.testing.assert_array_equal(decoder("image").read(tmp_path / "grey.png")[..., 1], grey)


def test_colours_are_in_the_order_red_green_blue(tmp_path):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes blue, green, red
    cv2.imwrite(str(tmp_path / "red.png"), red)
    assert decoder("image").read(tmp_path / "red.png")[0, 0].tolist() == [255, 0, 0]


def test_radiometric_pictures_keep_their_depth(tmp_path):
    kelvin = np.array([[29315, 31000]], np.uint16)
    cv2.imwrite(str(tmp_path / "thermal.png"), kelvin)
    picture = decoder("thermal", scale=0.01).read(tmp_path / "thermal.png")
    np.testing.assert_allclose(picture, [[293.15, 310.0]], rtol=1e-5)


def test_sound_of_arrays_needs_a_rate_and_gets_the_models():
    beat = np.sin(np.arange(16000) * 2 * np.pi * 200 / 16000)
    pcm = (np.stack([beat, beat], axis=1) * 16384).astype(np.int16)
    sound = decoder("audio", rate=16000).array(pcm, FILE)
    assert sound.shape == (8000,) and sound.dtype == np.float32
    assert 0.45 < np.abs(sound).max() < 0.55
    with pytest.raises(BadRecording, match=r"sampling rate.*rate: 16000"):
        decoder("audio").array(pcm, FILE)


def test_the_models_rate_is_the_recipes(tmp_path):
    with wave.open(str(tmp_path / "tone.wav"), "wb") as f:
        f.setparams((2, 2, 8000, 0, "NONE", ""))
        f.writeframes(np.ones(1600, "<i2").tobytes())
    assert len(decoder("audio", {"rate": 16000}).read(tmp_path / "tone.wav")) == 1600


def test_a_time_series_is_transposed_flattened_scaled_and_resampled():
    joints_axes_time = np.arange(1 * 3 * 11, dtype=np.float64).reshape(1, 3, 11)
    rows = decoder("pose", SERIES, axes=(2, 0, 1), scale=(1, 10, 100), rate=25).array(joints_axes_time, FILE)
    assert rows.shape == (21, 3) and rows.dtype == np.float32  # 0.4 s at 50 Hz
    np.testing.assert_allclose(rows[::2], joints_axes_time[0].T * [1, 10, 100], rtol=1e-6)
    np.testing.assert_allclose(rows[1], (rows[0] + rows[2]) / 2, rtol=1e-6)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz"])
def test_columns_are_chosen_by_name_or_number(tmp_path, suffix):
    mark = "\t" if suffix == ".tsv" else ","
    text = "\n".join(
        [mark.join(["time", "x", "y", " z"]), *(mark.join(map(str, (t, 1, 2, 3))) for t in range(4))]
    )
    file = tmp_path / f"pen{suffix}"
    file.write_bytes(gzip.compress(text.encode()) if suffix.endswith("gz") else text.encode())
    for columns in (("x", "y", "z"), (1, 2, 3), ("x", 2, 3)):
        rows = decoder("pose", SERIES, columns=columns).read(file)
        np.testing.assert_array_equal(rows, np.tile([1, 2, 3], (4, 1)))
    with pytest.raises(BadRecording, match=r"pen.* has no column 'w'; it has time, x, y, z"):
        decoder("pose", SERIES, columns=("w",)).read(file)


def test_text_is_text(tmp_path):
    (tmp_path / "said.txt").write_text("number three\n")
    assert decoder("text").read(tmp_path / "said.txt") == "number three"


@pytest.mark.parametrize(
    ("modality", "shape", "expected"),
    [
        ("image", (2, 3, 4, 5), "a picture"),
        ("touch", (16, 16), r"touch frames \[T, H, W\]"),
        ("point_cloud", (5, 4), r"points \[N, 3\]"),
        ("thermal", (4,), "a thermal picture"),
        ("text", (4,), "an array cannot be a recording of text"),
    ],
)
def test_an_array_of_the_wrong_shape_says_what_is_expected(modality, shape, expected):
    with pytest.raises(BadRecording, match=rf"somewhere.npy .*{expected}"):
        decoder(modality).array(np.zeros(shape, np.float32), FILE)


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(BadRecording, match="not finite"):
        decoder("point_cloud").array(np.full((9, 3), np.nan), FILE)


def test_files_of_another_kind_say_which_there_could_be(tmp_path):
    with pytest.raises(BadRecording, match=r"x\.mp3: files of audio end with \.wav or \.flac or"):
        decoder("audio").read(tmp_path / "x.mp3")


@given(st.binary(max_size=60), st.sampled_from(["wav", "png", "bs2", "csv", "npy", "txt", "xyz", "csv.gz"]))
def test_whatever_a_file_holds_it_is_a_sample_or_one_line(tmp_path_factory, data, suffix):
    file = tmp_path_factory.mktemp("fuzz") / f"any.{suffix}"
    file.write_bytes(data)
    for modality in ("image", "audio", "event", "touch", "point_cloud", "thermal", "text"):
        try:
            decoder(modality).read(file)
        except BadRecording as error:
            assert "any" in str(error) and "\n" not in str(error)
