"""Camera images: recordings and messages alike, large ones reduced, blank ones and hot pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sensor_messages import T0, compressed, image

from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.image.encodings import decode_image
from omnibind_ros.modalities.registry import make_preprocessor


def test_an_image_message_is_prepared_like_the_recording():
    preprocessor, raw = make_preprocessor("image"), Scene(3).sample("image")
    (sample,) = preprocessor.feed(image(raw, "rgb8"))
    np.testing.assert_array_equal(sample.data, preprocessor.prepare(raw))
    assert (sample.stamp, sample.frame_id, sample.quality) == (T0, "tool0", 1.0)


def test_a_covered_lens_is_nothing():
    black = np.random.default_rng(0).normal(3, 1.5, (100, 100, 3)).clip(0, 255).astype(np.uint8)
    (sample,) = make_preprocessor("image").feed(image(black, "rgb8"))
    assert sample.quality == 0
    assert "black" in sample.reason


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (333, 1000)])
def test_a_big_picture_is_judged_like_a_small_one(shape):
    preprocessor, raw = make_preprocessor("image"), Scene(3).sample("image")
    assert preprocessor.check(cv2.resize(raw, shape[::-1])).quality == 1.0
    noise = np.random.default_rng(0).normal(10, 12, (*shape, 3)).clip(0, 255).astype(np.uint8)
    assert preprocessor.check(noise).quality == 0


def test_a_saturated_picture_is_nothing():
    (sample,) = make_preprocessor("image").feed(image(np.full((50, 60, 3), 255, np.uint8), "rgb8"))
    assert sample.quality == 0
    assert "saturated" in sample.reason


def enlarged(height: int, width: int, label: int = 3) -> np.ndarray:
    """A picture uint8 [H,W,3] with the digit in its centre square, and one corner of that darkened."""
    side = min(height, width)
    square = cv2.resize(Scene(label).sample("image"), (side, side), interpolation=cv2.INTER_CUBIC)
    square[: side // 4, : side // 4] //= 3
    top, left = (height - side) // 2, (width - side) // 2
    border = (top, height - side - top, left, width - side - left)
    return np.asarray(cv2.copyMakeBorder(square, *border, cv2.BORDER_REPLICATE))


def as_message(pixels: np.ndarray, encoding: str):
    """The picture as a camera of that encoding sends it, with padded rows."""
    if encoding in ("jpeg", "grey jpeg", "png"):
        sent = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if "grey" in encoding else pixels[..., ::-1]
        return compressed(
            cv2.imencode(".png" if encoding == "png" else ".jpg", sent)[1].reshape(-1), encoding
        )
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    sent = {
        "rgb8": pixels,
        "bgr8": pixels[..., ::-1],
        "bgra8": cv2.cvtColor(pixels, cv2.COLOR_RGB2BGRA),
        "mono8": grey,
        "mono16": grey.astype("<u2") * 200 + 500,
        "32FC1": grey.astype("<f4") / 7 - 3,
        "yuyv": cv2.cvtColor(pixels[:, : pixels.shape[1] // 2 * 2], cv2.COLOR_RGB2YUV_YUY2),
        "uyvy": cv2.cvtColor(pixels[:, : pixels.shape[1] // 2 * 2], cv2.COLOR_RGB2YUV_UYVY),
    }
    return image(sent[encoding], encoding, padding=16)


COLOURS = ["rgb8", "bgr8", "bgra8", "yuyv", "uyvy", "jpeg", "png"]


@pytest.mark.parametrize("shape", [(1080, 1920), (1920, 1080), (480, 640), (577, 900), (2160, 3840)])
@pytest.mark.parametrize("encoding", [*COLOURS, "mono8", "mono16", "32FC1", "grey jpeg"])
def test_a_large_picture_gives_the_input_of_all_its_pixels(encoding, shape):
    preprocessor = make_preprocessor("image")
    message = as_message(enlarged(*shape), encoding)
    (sample,) = preprocessor.feed(message)
    difference = np.abs(sample.data - preprocessor.prepare(preprocessor.decode(message)))
    assert 255 * preprocessor.format.std * difference.mean() < 1.5, "the same picture, at the same place"
    assert sample.quality == 1.0


@pytest.mark.parametrize("encoding", COLOURS)
def test_a_small_picture_gives_exactly_the_input_of_all_its_pixels(encoding):
    preprocessor = make_preprocessor("image")
    message = as_message(enlarged(100, 142), encoding)
    (sample,) = preprocessor.feed(message)
    np.testing.assert_array_equal(sample.data, preprocessor.prepare(preprocessor.decode(message)))


def test_a_recording_of_a_bag_keeps_all_pixels():
    pixels = enlarged(480, 640)
    np.testing.assert_array_equal(make_preprocessor("image").join([image(pixels, "rgb8")]), pixels)


@pytest.mark.parametrize("shape", [(480, 640), (120, 160)])
@pytest.mark.parametrize(("encoding", "hot"), [("mono16", 65535), ("32FC1", 3e38), ("32FC1", -np.inf)])
def test_a_few_hot_pixels_change_nothing(encoding, hot, shape):
    preprocessor = make_preprocessor("image")
    message = as_message(enlarged(*shape), encoding)
    (clean,) = preprocessor.feed(message)
    pixels = decode_image(message).copy()
    pixels[::97, ::89] = hot
    (sample,) = preprocessor.feed(image(pixels, encoding))
    assert sample.quality == clean.quality == 1.0
    assert np.abs(sample.data - clean.data).mean() < 0.06


def test_a_blank_centre_is_nothing_however_lively_the_border():
    pixels = np.full((480, 640, 3), 250, np.uint8)
    pixels[:, :60] = np.random.default_rng(0).integers(0, 256, (480, 60, 3))
    (sample,) = make_preprocessor("image").feed(image(pixels, "rgb8"))
    assert sample.quality == 0
