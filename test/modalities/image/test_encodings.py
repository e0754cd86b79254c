"""Image encodings: each against pixels known beforehand, with row padding and both byte orders."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_messages import compressed, image

from omnibind_ros.errors import BadMessage
from omnibind_ros.modalities.image.encodings import decode_image, decode_rgb, to_intensity, to_rgb

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)


def with_alpha(pixels):
    return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 7, np.uint8)], axis=2)


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize(
    ("encoding", "sent"),
    [
        ("rgb8", RGB),
        ("bgr8", RGB[..., ::-1]),
        ("rgba8", with_alpha(RGB)),
        ("bgra8", with_alpha(RGB[..., ::-1])),
    ],
)
def test_colour_becomes_rgb(encoding, sent, padding):
    decoded = decode_image(image(sent, encoding, padding))
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, RGB)


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("encoding", "dtype"),
    [("mono8", "u1"), ("8UC1", "u1"), ("mono16", "u2"), ("16UC1", "u2"), ("32FC1", "f4")],
)
def test_one_channel_stays_itself_in_native_order(encoding, dtype, order, padding):
    pixels = (RNG.random((5, 7)) * 255).astype(dtype)
    sent = pixels.astype(np.dtype(dtype).newbyteorder(order))
    decoded = decode_image(image(sent, encoding, padding, is_bigendian=int(order == ">")))
    assert decoded.dtype == np.dtype(dtype) and decoded.dtype.isnative
    np.testing.assert_array_equal(decoded, pixels)


@pytest.mark.parametrize("encoding", ["yuv422", "uyvy", "yuv422_yuy2", "yuyv"])
def test_yuv422_in_both_orders(encoding):
    # one pair of pixels a column: BT.601 video range black/white, and a saturated red
    pairs = {"y": (16, 235), "u": 128, "v": 128}, {"y": (81, 81), "u": 90, "v": 240}
    quads = []
    for pair in pairs:
        (y0, y1), u, v = pair["y"], pair["u"], pair["v"]
        quads += [u, y0, v, y1] if encoding in ("yuv422", "uyvy") else [y0, u, y1, v]
    sent = np.array(quads, np.uint8).reshape(1, 4, 2)
    decoded = decode_image(image(sent, encoding, padding=2)).astype(int)
    expected = np.array([[[0, 0, 0], [255, 255, 255], [254, 0, 0], [254, 0, 0]]])
    assert np.abs(decoded - expected).max() <= 3


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [("rgb8", RGB), ("mono8", RGB[..., 0]), ("32FC1", RGB[..., 0].astype("<f4"))],
)
def test_nothing_is_copied_that_can_be_viewed(encoding, pixels):
    message = image(pixels, encoding)
    assert np.shares_memory(decode_image(message), message.data)


def test_the_padding_of_the_last_row_may_be_missing():
    message = image(RGB, "rgb8", padding=5)
    np.testing.assert_array_equal(decode_image(replace(message, data=message.data[:-5])), RGB)


def encoded(pixels, suffix, kind):
    """A `CompressedImage` of pixels in OpenCV's order."""
    return compressed(cv2.imencode(suffix, pixels)[1].reshape(-1), kind)


def test_png_is_exact():
    np.testing.assert_array_equal(decode_image(encoded(RGB[..., ::-1], ".png", "rgb8; png compressed")), RGB)
    alpha = with_alpha(RGB[..., ::-1])
    np.testing.assert_array_equal(decode_image(encoded(alpha, ".png", "png")), RGB)
    deep = RNG.integers(0, 65536, (4, 5), dtype=np.uint16)
    np.testing.assert_array_equal(decode_image(encoded(deep, ".png", "16UC1; png compressed")), deep)
    deep_colour = RGB[..., ::-1].astype(np.uint16) * 257
    np.testing.assert_array_equal(decode_image(encoded(deep_colour, ".png", "png")), RGB)


def test_jpeg_is_close_and_rgb():
    smooth = np.zeros((32, 32, 3), np.uint8)
    smooth[..., 0] = 200  # red
    decoded = decode_image(encoded(smooth[..., ::-1], ".jpg", "bgr8; jpeg compressed bgr8"))
    assert np.abs(decoded.astype(int) - smooth).max() <= 4


JPEG = cv2.imencode(".jpg", RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))[1].tobytes()


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (image(RGB, "rgb8", data=RGB.tobytes()[:-1]), "cut: 143 bytes.* need 144"),
        (image(RGB, "rgb8", data=b""), "cut: 0 bytes"),
        (image(RGB, "rgb8", step=23), "step is 23 bytes.* has 24"),
        (image(RGB, "rgb8", step=25), "cut: 144 bytes"),
        (image(RGB, "rbg8"), "unknown encoding 'rbg8'; did you mean 'rgb8'"),
        (image(RGB, "rgb8", height=0), "8x0"),
        (image(RGB, "rgb8", height=2**32 - 1, width=2**32 - 1), "step is 24"),
        (image(RGB[:, :5, :2], "yuyv"), "even width"),
        (compressed(b"", "jpeg"), "does not decode: 0 bytes"),
        (compressed(b"no picture", "jpeg"), "does not decode: 10 bytes of format 'jpeg'"),
        (compressed(JPEG[: len(JPEG) // 2], "jpeg"), "without its end marker"),
        (compressed(b"", "16UC1; compressedDepth png"), "subscribe to the raw depth"),
    ],
)
def test_bad_images(bad, error):
    for decode in (decode_image, decode_rgb):
        with pytest.raises(BadMessage, match=error):
            decode(bad)


sizes = st.one_of(st.integers(0, 40), st.integers(0, 2**32 - 1))


@given(
    sizes, sizes, sizes,
    st.sampled_from(["rgb8", "bgra8", "mono16", "32FC1", "yuv422", "yuyv", "mono8", "bayer_rggb8"]),
    st.binary(max_size=600), st.booleans(), st.integers(0, 3),
)  # fmt: skip
def test_random_fields_decode_or_are_bad_messages(height, width, step, encoding, data, bigendian, least):
    empty = np.zeros((1, 1), np.uint8)
    message = image(
        empty, encoding, height=height, width=width, step=step, data=data, is_bigendian=int(bigendian)
    )
    try:
        pixels = decode_image(message)
    except BadMessage:
        with pytest.raises(BadMessage):
            decode_rgb(message, least)
        return
    assert pixels.shape[:2] == (height, width)
    assert to_rgb(pixels).shape == (height, width, 3)
    assert to_intensity(pixels).shape == (height, width)
    reduced = decode_rgb(message, least)
    assert reduced.ndim == 3 and reduced.dtype == np.uint8
    assert min(height, width) >= min(reduced.shape[:2]) >= min(least, height, width)


@given(st.binary(max_size=100), st.integers(0, 200), st.integers(0, 255))
def test_damaged_jpegs_decode_or_are_bad_messages(tail, cut, flip):
    data = bytearray(JPEG[: len(JPEG) - cut] + tail)
    data[flip] ^= 0x5A
    with contextlib.suppress(BadMessage):
        decode_image(compressed(data, "jpeg"))


def test_to_rgb_passes_colour_and_spreads_the_rest_over_its_finite_range():
    assert to_rgb(RGB) is RGB
    np.testing.assert_array_equal(to_rgb(RGB[..., 0])[..., 2], RGB[..., 0])
    celsius = np.array([[20.0, 30.0, np.nan], [25.0, np.inf, 20.0]], np.float32)
    np.testing.assert_array_equal(to_rgb(celsius)[..., 1], [[0, 255, 0], [128, 0, 0]])
    np.testing.assert_array_equal(to_rgb(np.array([[1000, 1255]], np.uint16))[..., 0], [[0, 255]])
    assert not to_rgb(np.full((2, 2), 7.0, np.float32)).any()
    assert not to_rgb(np.full((2, 2), np.nan, np.float32)).any()
    extreme = np.array([[-3e38, 3e38]], np.float32)
    np.testing.assert_array_equal(to_rgb(extreme)[..., 0], [[0, 255]])


def test_to_intensity_keeps_the_scale_and_the_gaps():
    celsius = np.array([[20.0, np.nan]], np.float32)
    assert to_intensity(celsius) is celsius
    assert to_intensity(np.array([[3000]], np.uint16)).tolist() == [[3000.0]]
    red = to_intensity(np.array([[[255, 0, 0]]], np.uint8))
    assert red.dtype == np.float32 and abs(red[0, 0] - 0.299 * 255) < 0.1


def test_false_colours_of_a_perceptual_map_keep_the_order_of_temperatures():
    ramp = np.arange(256, dtype=np.uint8)[None]
    false_colour = cv2.cvtColor(cv2.applyColorMap(ramp, cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    assert np.all(np.diff(to_intensity(false_colour)[0]) > -0.5)  # to within the rounding of 8 bit colours
