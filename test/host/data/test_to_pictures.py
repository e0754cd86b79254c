"""Samples of other sensors shown as pictures, and which picture belongs to a recording."""

from __future__ import annotations

import numpy as np
import pytest

from omnibind_ros.host.data.from_pictures import as_modality
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.scene import simulator
from omnibind_ros.host.data.to_pictures import Looks, renderer, shown
from omnibind_ros.modalities.pictures import SIDE
from omnibind_ros.modalities.registry import having, make_preprocessor


def an_l() -> np.ndarray:
    """Down on the left, then along the bottom: no mirror image or rotation of it is itself."""
    picture = np.zeros((28, 28, 3), np.uint8)
    picture[4:24, 6:9] = 255
    picture[21:24, 6:22] = 255
    return picture


DRAWING = Recording("image", "drawn", "an l", "1", "", an_l)


def ink(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0].astype(float)


@pytest.mark.parametrize("modality", having("from_picture"))
def test_a_drawing_that_another_sensor_saw_looks_the_same_way_up(modality):
    (seen,) = as_modality([DRAWING], modality)
    raw = seen.load()
    assert make_preprocessor(modality).check(raw).quality == 1
    picture = renderer(modality)(raw)
    assert picture.dtype == np.uint8
    assert picture.shape == (SIDE, SIDE, 3)
    grey = ink(picture)
    half = SIDE // 2
    top_right = grey[:half, half:].sum()
    for corner in (grey[:half, :half], grey[half:, :half], grey[half:, half:]):
        assert corner.sum() > 2 * top_right


@pytest.mark.parametrize("modality", [m for m in having("to_picture") if m != "image"])
def test_simulated_samples_can_be_shown(modality):
    picture = renderer(modality)(simulator(modality)(3, np.random.default_rng(0)))
    assert make_preprocessor("image").check(picture).quality == 1


@pytest.mark.parametrize("modality", ["event", "touch"])
def test_nothing_is_shown_as_black(modality):
    raw = simulator(modality)(3, np.random.default_rng(0))
    nothing = raw * 0 if modality == "touch" else raw.between(0, 0)
    assert not renderer(modality)(nothing).any()


def test_dark_ink_on_paper_is_ink_too():
    paper = Recording("image", "drawn", "an l", "1", "", lambda: 255 - an_l())
    light, dark = (as_modality([r], "touch")[0].load() for r in (DRAWING, paper))
    np.testing.assert_array_equal(light, dark)


def test_the_picture_of_the_same_moment_comes_first_then_the_sample_itself():
    looks = Looks([DRAWING])
    (made,) = as_modality([DRAWING], "touch")
    np.testing.assert_array_equal(looks(made), an_l())
    spikes = made.load()
    alone = Recording("touch", "felt", "1", "1", "", lambda: spikes)
    np.testing.assert_array_equal(looks(alone), renderer("touch")(spikes))
    assert looks(Recording("audio", "heard", "1", "1", "", lambda: np.zeros(9, np.float32))) is None


def test_true_pairs_are_found_by_their_moment():
    camera = Recording("image", "camera", "0001.jpg", "1", "", an_l, pair="moment 1")
    sound = Recording("audio", "heard", "1.wav", "1", "", lambda: np.zeros(9, np.float32), pair="moment 1")
    np.testing.assert_array_equal(Looks([camera])(sound), an_l())


def test_shown_recordings_are_recordings_of_pictures_with_the_same_label():
    (made,) = as_modality([DRAWING], "event")
    silent = Recording("audio", "heard", "1", "1", "", lambda: None)
    (as_picture,) = shown([made, silent])
    assert (as_picture.modality, as_picture.label) == ("image", "1")
    assert as_picture.load().shape == (SIDE, SIDE, 3)


def test_no_more_pictures_of_a_class_than_asked_for():
    many = [Recording("image", "drawn", f"{n}", str(n % 2), "", an_l) for n in range(10)]
    assert [r.label for r in as_modality(many, "event", per_class=2)] == ["0", "1", "0", "1"]
