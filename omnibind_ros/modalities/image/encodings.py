"""Image and CompressedImage -> pixels: what a driver may send becomes one of four plain arrays.

Colour becomes RGB uint8 [H,W,3]; one channel stays what it is, in native byte order: uint8, uint16 or
float32 [H,W]. `rgb8` and the one-channel encodings of the machine's own byte order are views of the
message; the rest is one conversion. Encoding names are those of `sensor_msgs/image_encodings.hpp`;
`yuv422` there means UYVY, `yuv422_yuy2` means YUYV.

An encoder needs few pixels of a large picture: `decode_rgb` cuts out the centre and reduces it first, on
pixels as the driver laid them out, and decodes a JPEG at a fraction of its size.
"""

from __future__ import annotations

import math
import struct
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.fields import type_name
from omnibind_ros.names import nearest


class _Encoding(NamedTuple):
    """How pixels lie in memory, and the OpenCV conversion that makes them RGB (None: none is needed)."""

    dtype: str
    channels: int
    to_rgb: int | None = None
    together: int = 1
    """pixels that share an element: two in YUV 4:2:2, with one colour"""


class _Layout(NamedTuple):
    """The view of a message's bytes that shows its elements, and how many bytes that takes at least."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]
    size: int


_UYVY = _Encoding("u1", 4, cv2.COLOR_YUV2RGB_UYVY, together=2)
_YUYV = _Encoding("u1", 4, cv2.COLOR_YUV2RGB_YUY2, together=2)

_ENCODINGS = {
    "rgb8": _Encoding("u1", 3),
    "bgr8": _Encoding("u1", 3, cv2.COLOR_BGR2RGB),
    "rgba8": _Encoding("u1", 4, cv2.COLOR_RGBA2RGB),
    "bgra8": _Encoding("u1", 4, cv2.COLOR_BGRA2RGB),
    "mono8": _Encoding("u1", 1),
    "8UC1": _Encoding("u1", 1),
    "mono16": _Encoding("u2", 1),
    "16UC1": _Encoding("u2", 1),
    "32FC1": _Encoding("f4", 1),
    "yuv422": _UYVY,
    "uyvy": _UYVY,
    "yuv422_yuy2": _YUYV,
    "yuyv": _YUYV,
}


def decode_image(message: Any) -> NDArray[Any]:
    """The pixels of a `sensor_msgs/Image` or `CompressedImage` (only the former has a field `encoding`).

    Returns:
        RGB uint8 [H,W,3], or uint8 / uint16 / float32 [H,W] in native byte order; often a read-only view.

    Raises:
        BadMessage: unknown encoding, wrong step, truncated data, or a picture that does not decode.
    """
    if not hasattr(message, "encoding"):
        return _decompress(message)
    return _native(_in_rgb(*_view(message)))


def decode_rgb(message: Any, least: int = 0) -> NDArray[np.uint8]:
    """The same as RGB uint8 [H,W,3]; one channel becomes grey, see `to_rgb`.

    Args:
        least: if not 0, of a picture of which the shorter side has eight times as many pixels or more, only
            the centre square [S,S,3] is decoded, reduced by a whole number to S >= `least`.

    Raises:
        BadMessage: as `decode_image`.
    """
    if hasattr(message, "encoding"):
        pixels, encoding = _view(message)
    else:
        pixels, encoding = _decompress(message, least), _ENCODINGS["rgb8"]
    factor = min(pixels.shape[0], pixels.shape[1] * encoding.together) // least if least else 1
    if factor >= 8:
        return _reduced_square(pixels, encoding, factor // 4)
    return to_rgb(_in_rgb(pixels, encoding))


def _reduced_square(pixels: NDArray[Any], encoding: _Encoding, step: int) -> NDArray[np.uint8]:
    """The centre square as RGB, reduced by 4 x `step`; a pixel is the mean of every `step`-th row of a block.

    OpenCV averages blocks of whole pixels several times faster than other areas, and rows that are left out
    are not read.
    """
    block = 4 * step
    across = block // encoding.together
    side = min(pixels.shape[0] // block, pixels.shape[1] // across)
    top, left = (pixels.shape[0] - side * block) // 2, (pixels.shape[1] - side * across) // 2
    rows = pixels[top + step // 2 : top + side * block : step, left : left + side * across]
    if rows.dtype != np.uint8:
        rows = _scale_to_uint8(rows)
    small = to_rgb(_in_rgb(_mean(rows, side), encoding))
    return small if small.shape[1] == side else _mean(small, side)


def _mean(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _in_rgb(pixels: NDArray[Any], encoding: _Encoding) -> NDArray[Any]:
    """Elements of colour -> RGB [H,W,3]; one channel as it is."""
    if encoding.to_rgb is None:
        return pixels
    if encoding.together > 1:
        pixels = pixels.reshape(len(pixels), -1, encoding.channels // encoding.together)
    return cv2.cvtColor(pixels, encoding.to_rgb)


def _native(pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _view(message: Any) -> tuple[NDArray[Any], _Encoding]:
    """The elements of a raw image as a view [H,W] or [H,W,channels], in the byte order of the message."""
    name = message.encoding
    encoding = _ENCODINGS.get(name)
    if encoding is None:
        raise BadMessage(f"image has unknown encoding {name!r}{nearest(name, _ENCODINGS)}")
    height, width = message.height, message.width
    layout = _layout(encoding, name, height, width, message.step, bool(message.is_bigendian))
    data = np.frombuffer(message.data, np.uint8)
    if data.size < layout.size:
        raise BadMessage(
            f"image data is cut: {data.size} bytes, but {width}x{height} {name} pixels in rows of "
            f"{layout.strides[0]} bytes need {layout.size}"
        )
    return np.ndarray(layout.shape, layout.dtype, data, strides=layout.strides), encoding


@lru_cache(maxsize=16)  # all pictures of a camera are laid out alike
def _layout(encoding: _Encoding, name: str, height: int, width: int, step: int, big_endian: bool) -> _Layout:
    if height == 0 or width == 0:
        raise BadMessage(f"image is {width}x{height}: it has no pixels")
    if width % encoding.together:
        raise BadMessage(f"image is {width} wide: {name} needs an even width, two pixels share their colour")
    dtype = np.dtype(encoding.dtype).newbyteorder(">" if big_endian else "<")
    elements, element = width // encoding.together, dtype.itemsize * encoding.channels
    if step < elements * element:
        raise BadMessage(
            f"image step is {step} bytes, but a row of {width} {name} pixels has {elements * element}"
        )
    size = (height - 1) * step + elements * element  # the padding of the last row may be missing
    if encoding.channels == 1:
        return _Layout((height, elements), (step, element), dtype, size)
    return _Layout((height, elements, encoding.channels), (step, element, 1), dtype, size)


def _decompress(message: Any, least: int = 0) -> NDArray[Any]:
    """A compressed image; a JPEG reduced by 2, 4 or 8 if its shorter side keeps 2 `least` pixels."""
    kind = message.format
    data = np.frombuffer(message.data, np.uint8)
    if "compressedDepth" in kind:
        raise BadMessage(
            f"{type_name(message)}: format {kind!r} is not decoded; subscribe to the raw depth image"
        )
    if data[:2].tobytes() == b"\xff\xd8" and b"\xff\xd9" not in data[-1024:].tobytes():
        raise BadMessage(f"compressed image is cut: {data.size} bytes of jpeg without its end marker")
    factor = _jpeg_side(data) // (2 * least) if least else 1
    scaled = next((flag for reduced, flag in _REDUCED if factor >= reduced), cv2.IMREAD_UNCHANGED)
    try:
        pixels: NDArray[Any] | None = cv2.imdecode(data, scaled)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.ndim not in (2, 3):
        raise BadMessage(f"compressed image does not decode: {data.size} bytes of format {kind!r}")
    if pixels.ndim == 2:
        return _native(pixels)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (3, 4):
        raise BadMessage(
            f"compressed image of format {kind!r} decodes to {pixels.shape} {pixels.dtype}, not colour"
        )
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGB)


_REDUCED = [
    (8, cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION),
    (4, cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION),
    (2, cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION),
]
"""(factor, flag of OpenCV): a JPEG is decoded in less than half the time when it is reduced."""

_STARTS_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _jpeg_side(data: NDArray[np.uint8]) -> int:
    """Pixels of the shorter side of a JPEG, from its frame header (ITU-T T.81, B.2.2); 0 if it has none."""
    header, at = data.tobytes(), 2
    if header[:2] != b"\xff\xd8":
        return 0
    while at + 9 <= len(header) and header[at] == 0xFF:
        if header[at + 1] in _STARTS_OF_FRAME:
            height, width = struct.unpack_from(">HH", header, at + 5)
            return int(min(height, width))
        at += 2 + int.from_bytes(header[at + 2 : at + 4], "big")
    return 0


def to_rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """What `decode_image` returns -> RGB uint8 [H,W,3].

    Colour passes as it is, uint8 [H,W] becomes grey. uint16 and float32 [H,W] are stretched so that all but
    0.2 % of the finite values at either end fit into 0 to 255: a few hot or dead pixels change nothing. What
    is not finite becomes 0; so does an image of one value.
    """
    if pixels.ndim == 3:
        return pixels
    if pixels.dtype != np.uint8:
        pixels = _scale_to_uint8(pixels)
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)  # type: ignore[return-value]


_OUTLIERS = 0.002
"""share of the values at either end; about what ImageJ saturates when it enhances contrast"""
_MANY_VALUES = 1 << 11


def robust_range(values: NDArray[Any]) -> tuple[float, float]:
    """Least and greatest finite value [H,W], without the 0.2 % at either end; (0, 0) if there is none.

    Of a large picture a grid of some 2,000 values is examined; of fewer than 500 none is left out.
    """
    step = max(1, math.isqrt(values.size // _MANY_VALUES))
    sample = np.sort(values[::step, ::step], axis=None)
    if sample.dtype.kind == "f":
        sample = sample[np.isfinite(sample)]
    if not sample.size:
        return 0.0, 0.0
    outliers = int(_OUTLIERS * sample.size)
    return float(sample[outliers]), float(sample[-1 - outliers])


def _scale_to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    low, high = robust_range(pixels)
    if low == high:
        return np.zeros(pixels.shape, np.uint8)
    values = pixels.astype(np.float64)  # a float32 range can exceed float32
    values[~np.isfinite(values)] = low
    values -= low
    values *= 255.0 / (high - low)
    return np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)


def to_intensity(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """What `decode_image` returns -> one float32 [H,W] in its own scale; NaN stays NaN.

    Colour becomes luma (ITU-R BT.601). Thermal cameras often send false colours: the perceptual colour maps
    (inferno, magma, ironbow, white-hot) rise monotonically in luma, so luma keeps the order of temperatures.
    Rainbow maps such as jet do not: set such a camera to a perceptual map or to raw temperatures.
    """
    if pixels.ndim == 3:
        return cv2.cvtColor(pixels.astype(np.float32), cv2.COLOR_RGB2GRAY)  # type: ignore[return-value]
    return pixels.astype(np.float32, copy=False)
