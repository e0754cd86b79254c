"""What a camera publishes: `sensor_msgs/msg/Image`, ten a second."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import make_header
from omnibind_ros.modalities.frames import one_per_sample

_ENCODINGS = {("|u1", 3): "rgb8", ("|u1", 2): "mono8", ("<u2", 2): "mono16", ("<f4", 2): "32FC1"}
"""(little-endian dtype, number of axes) -> encoding."""


def image_message(pixels: NDArray[Any], stamp: int, frame_id: str = "") -> Any:
    """`sensor_msgs/msg/Image` of pixels.

    RGB uint8 [H,W,3] becomes rgb8; uint8, uint16 and float32 [H,W] become mono8, mono16 and 32FC1.

    Args:
        stamp: ns since the epoch.

    Raises:
        ValueError: any other array.
    """
    pixels = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    encoding = _ENCODINGS.get((pixels.dtype.str, pixels.ndim))
    if encoding is None or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f"no image encoding for {pixels.dtype} {pixels.shape}")
    return message_class("sensor_msgs/msg/Image")(
        header=make_header(stamp, frame_id),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=pixels.strides[0],
        data=pixels.reshape(-1).view(np.uint8),
    )


frames = one_per_sample(1 / 10, image_message)


def covered(pixels: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """What a camera delivers behind a lens cap: black, and the noise of its own electronics."""
    return np.abs(rng.normal(0.0, 2.0, pixels.shape)).astype(pixels.dtype)
