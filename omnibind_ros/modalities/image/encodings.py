"""Image and CompressedImage -> pixels: what a driver may send becomes one of four plain arrays.

Colour becomes RGB uint8 [H,W,3]; one channel stays what it is, in native byte order: uint8, uint16 or
float32 [H,W]. `rgb8` and the one-channel encodings of the machine's own byte order are views of the
message; the rest is one conversion. Encoding names are those of `sensor_msgs/image_encodings.hpp`;
`yuv422` there means UYVY, `yuv422_yuy2` means YUYV.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.fields import read_bytes, read_count, read_field, read_text, type_name
from omnibind_ros.names import nearest


class _Encoding(NamedTuple):
    """How a pixel lies in memory, and the OpenCV conversion that makes it RGB (None: it is fine already)."""

    dtype: str
    channels: int
    to_rgb: int | None = None


class _Layout(NamedTuple):
    """The view of a message's bytes that shows its pixels, and how many bytes that takes at least."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]
    size: int


_UYVY = _Encoding("u1", 2, cv2.COLOR_YUV2RGB_UYVY)
_YUYV = _Encoding("u1", 2, cv2.COLOR_YUV2RGB_YUY2)

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


def decode_image(message: object) -> NDArray[Any]:
    """The pixels of a `sensor_msgs/Image` or `CompressedImage` (told apart by the field `encoding`).

    Returns:
        RGB uint8 [H,W,3], or uint8 / uint16 / float32 [H,W] in native byte order; often a read-only view.

    Raises:
        BadMessage: unknown encoding, wrong step, truncated data, or a picture that does not decode.
    """
    if hasattr(message, "encoding"):
        return _decode_raw(message)
    return _decode_compressed(message)


def _decode_raw(message: object) -> NDArray[Any]:
    name = read_text(message, "encoding")
    encoding = _ENCODINGS.get(name)
    if encoding is None:
        raise BadMessage(f"image has unknown encoding {name!r}{nearest(name, _ENCODINGS)}")

    height, width = read_count(message, "height"), read_count(message, "width")
    layout = _layout(
        encoding, name, height, width, read_count(message, "step"), bool(read_field(message, "is_bigendian"))
    )
    data = read_bytes(message, "data")
    if data.size < layout.size:
        raise BadMessage(
            f"image data is cut: {data.size} bytes, but {width}x{height} {name} pixels in rows of "
            f"{layout.strides[0]} bytes need {layout.size}"
        )
    pixels: NDArray[Any] = np.ndarray(layout.shape, layout.dtype, data, strides=layout.strides)
    if encoding.to_rgb is not None:
        return cv2.cvtColor(pixels, encoding.to_rgb)
    return pixels if layout.dtype.isnative else pixels.astype(layout.dtype.newbyteorder("="))


@lru_cache(maxsize=16)  # all pictures of a camera are laid out alike
def _layout(encoding: _Encoding, name: str, height: int, width: int, step: int, big_endian: bool) -> _Layout:
    if height == 0 or width == 0:
        raise BadMessage(f"image is {width}x{height}: it has no pixels")
    if encoding in (_UYVY, _YUYV) and width % 2:
        raise BadMessage(f"image is {width} wide: {name} needs an even width, two pixels share their colour")
    dtype = np.dtype(encoding.dtype).newbyteorder(">" if big_endian else "<")
    pixel = dtype.itemsize * encoding.channels
    if step < width * pixel:
        raise BadMessage(
            f"image step is {step} bytes, but a row of {width} {name} pixels has {width * pixel}"
        )
    size = (height - 1) * step + width * pixel  # the padding of the last row may be missing
    if encoding.channels == 1:
        return _Layout((height, width), (step, pixel), dtype, size)
    return _Layout((height, width, encoding.channels), (step, pixel, 1), dtype, size)


def _decode_compressed(message: object) -> NDArray[Any]:
    kind = read_text(message, "format")
    data = read_bytes(message, "data")
    if "compressedDepth" in kind:
        raise BadMessage(
            f"{type_name(message)}: format {kind!r} is not decoded; subscribe to the raw depth image"
        )
    if data[:2].tobytes() == b"\xff\xd8" and b"\xff\xd9" not in data[-1024:].tobytes():
        raise BadMessage(f"compressed image is cut: {data.size} bytes of jpeg without its end marker")
    try:
        pixels: NDArray[Any] | None = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.ndim not in (2, 3):
        raise BadMessage(f"compressed image does not decode: {data.size} bytes of format {kind!r}")
    if pixels.ndim == 2:
        return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (3, 4):
        raise BadMessage(
            f"compressed image of format {kind!r} decodes to {pixels.shape} {pixels.dtype}, not colour"
        )
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB if pixels.shape[2] == 3 else cv2.COLOR_BGRA2RGB)


def to_rgb(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """What `decode_image` returns -> RGB uint8 [H,W,3].

    Colour passes as it is, uint8 [H,W] becomes grey, uint16 and float32 [H,W] are scaled by their own
    finite range (what is not finite becomes 0; so does an image of one value).
    """
    if pixels.ndim == 3:
        return pixels
    if pixels.dtype != np.uint8:
        pixels = _scale_to_uint8(pixels)
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)  # type: ignore[return-value]


def _scale_to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    values = pixels.astype(np.float64)  # a float32 range can exceed float32
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(pixels.shape, np.uint8)
    low, high = values.min(where=finite, initial=np.inf), values.max(where=finite, initial=-np.inf)
    if low == high:
        return np.zeros(pixels.shape, np.uint8)
    values -= low
    values *= 255.0 / (high - low)
    values[~finite] = 0.0
    return np.rint(values).astype(np.uint8)


def to_intensity(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """What `decode_image` returns -> one float32 [H,W] in its own scale; NaN stays NaN.

    Colour becomes luma (ITU-R BT.601). Thermal cameras often send false colours: the perceptual colour maps
    (inferno, magma, ironbow, white-hot) rise monotonically in luma, so luma keeps the order of temperatures.
    Rainbow maps such as jet do not: set such a camera to a perceptual map or to raw temperatures.
    """
    if pixels.ndim == 3:
        return cv2.cvtColor(pixels.astype(np.float32), cv2.COLOR_RGB2GRAY)  # type: ignore[return-value]
    return pixels.astype(np.float32, copy=False)
