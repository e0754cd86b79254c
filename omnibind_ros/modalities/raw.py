"""Raw samples -> the sensor messages a driver would send: for players of recordings and simulated sensors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.messages.stamps import make_header
from omnibind_ros.messages.types import MessageTypes
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import encode_evt3
from omnibind_ros.types import Modality

RAW_TYPE: dict[Modality, str] = {
    "image": "sensor_msgs/msg/Image",
    "thermal": "sensor_msgs/msg/Image",
    "touch": "sensor_msgs/msg/Image",
    "point_cloud": "sensor_msgs/msg/PointCloud2",
    "event": "event_camera_msgs/msg/EventPacket",
    "audio": "audio_common_msgs/msg/AudioDataStamped",
    "text": "std_msgs/msg/String",
}
"""The message type in which this module publishes a modality."""

_IMAGE_ENCODING = {("|u1", 3): "rgb8", ("|u1", 2): "mono8", ("<u2", 2): "mono16", ("<f4", 2): "32FC1"}
"""(little-endian dtype, number of axes) -> encoding."""

_FLOAT32 = 7


def image(types: MessageTypes, pixels: NDArray[Any], stamp: int, frame_id: str = "") -> Any:
    """`sensor_msgs/msg/Image` of pixels.

    RGB uint8 [H,W,3] becomes rgb8; uint8, uint16 and float32 [H,W] become mono8, mono16 and 32FC1 (thermal).

    Raises:
        ValueError: any other array.
    """
    pixels = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("<"))
    encoding = _IMAGE_ENCODING.get((pixels.dtype.str, pixels.ndim))
    if encoding is None or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise ValueError(f"no image encoding for {pixels.dtype} {pixels.shape}")
    return types["sensor_msgs/msg/Image"](
        header=make_header(stamp, frame_id),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=pixels.strides[0],
        data=types.to_bytes(_bytes_of(pixels)),
    )


def touch_frame(types: MessageTypes, pressure: NDArray[np.float32], stamp: int, frame_id: str = "") -> Any:
    """`sensor_msgs/msg/Image` (mono8) of one tactile frame, float32 [H,W] in [0,1]."""
    grey = np.rint(np.clip(pressure, 0.0, 1.0) * 255.0).astype(np.uint8)
    return image(types, grey, stamp, frame_id)


def point_cloud(types: MessageTypes, points: NDArray[np.float32], stamp: int, frame_id: str = "") -> Any:
    """`sensor_msgs/msg/PointCloud2` of float32 [N,3] points in metres."""
    points = np.ascontiguousarray(points, "<f4")
    field = types["sensor_msgs/msg/PointField"]
    return types["sensor_msgs/msg/PointCloud2"](
        header=make_header(stamp, frame_id),
        height=1,
        width=len(points),
        fields=[field(name=axis, offset=4 * i, datatype=_FLOAT32, count=1) for i, axis in enumerate("xyz")],
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(points),
        data=types.to_bytes(_bytes_of(points)),
        is_dense=bool(np.isfinite(points).all()),
    )


def event_packet(
    types: MessageTypes, events: Events, stamp: int, frame_id: str = "", sequence: int = 0
) -> Any:
    """`event_camera_msgs/msg/EventPacket` (evt3) of events in time order.

    Args:
        stamp: ns since the epoch, of the first event; `events.t[0]` when the events carry live stamps.
        sequence: number of the packet; a gap tells the decoder that packets were lost.
    """
    return types["event_camera_msgs/msg/EventPacket"](
        header=make_header(stamp, frame_id),
        height=events.height,
        width=events.width,
        seq=sequence,
        time_base=0,  # undefined for evt3
        encoding="evt3",
        is_bigendian=False,
        events=types.to_bytes(np.frombuffer(encode_evt3(events), np.uint8)),
    )


def audio_chunk(types: MessageTypes, samples: NDArray[np.float32], stamp: int, frame_id: str = "") -> Any:
    """`audio_common_msgs/msg/AudioDataStamped` of float32 [n] mono samples in [-1, 1], as S16LE."""
    pcm = np.rint(np.clip(samples, -1.0, 1.0) * 32767.0).astype("<i2")
    audio = types["audio_common_msgs/msg/AudioData"](data=types.to_bytes(_bytes_of(pcm)))
    return types["audio_common_msgs/msg/AudioDataStamped"](header=make_header(stamp, frame_id), audio=audio)


def text(types: MessageTypes, words: str) -> Any:
    """`std_msgs/msg/String`."""
    return types["std_msgs/msg/String"](data=words)


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    """A contiguous array as uint8 [n], a view."""
    return array.reshape(-1).view(np.uint8)
