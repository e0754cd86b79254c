"""Messages of sensor drivers, as the preprocessors get them: serialised to CDR and deserialised again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from omnibind_ros.messages.cdr import deserialise, message_class, serialise
from omnibind_ros.messages.stamps import make_header, ns_to_time
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import encode_evt3
from omnibind_ros.modalities.preprocessor import Preprocessor, Sample

T0 = 1_700_000_000_000_000_000
MS = 1_000_000
SECOND = 1_000_000_000
FRAME = "tool0"
_DATATYPES = {"i1": 1, "u1": 2, "i2": 3, "u2": 4, "i4": 5, "u4": 6, "f4": 7, "f8": 8}


def make(name: str, /, **fields: Any) -> Any:
    """A message of type `name` that went through CDR; bytes become arrays, an int `header` a header."""
    for key, value in fields.items():
        if isinstance(value, (bytes, bytearray)):
            fields[key] = np.frombuffer(value, np.uint8)
    if isinstance(fields.get("header"), int):
        fields["header"] = make_header(fields["header"], FRAME)
    return deserialise(serialise(message_class(name)(**fields), name), name)


def image(
    pixels: np.ndarray, encoding: str, stamp: int = T0, padding: int = 0, is_bigendian: int = 0, **fields: Any
) -> Any:
    """`sensor_msgs/Image` of rows of `pixels`, each followed by `padding` bytes of rubbish."""
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(len(pixels), -1)
    rows = np.concatenate([rows, np.full((len(rows), padding), 0xEE, np.uint8)], axis=1)
    values = dict(
        header=stamp,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=is_bigendian,
        step=rows.shape[1],
        data=rows.reshape(-1),
    )
    return make("sensor_msgs/msg/Image", **{**values, **fields})


def compressed(data: Any, kind: str, stamp: int = T0) -> Any:
    """`sensor_msgs/CompressedImage`."""
    return make("sensor_msgs/msg/CompressedImage", header=stamp, format=kind, data=data)


def point_field(name: str, offset: int, datatype: int = 7, count: int = 1) -> Any:
    """`sensor_msgs/PointField`."""
    return message_class("sensor_msgs/msg/PointField")(
        name=name, offset=offset, datatype=datatype, count=count
    )


XYZ = (("x", "f4"), ("y", "f4"), ("z", "f4"))


def cloud(
    points: np.ndarray,
    layout: Any = XYZ,
    *,
    stamp: int = T0,
    order: str = "<",
    height: int = 1,
    gap: int = 0,
    row_gap: int = 0,
    **fields: Any,
) -> Any:
    """`sensor_msgs/PointCloud2` with fields in the order of `layout` (name, type[, count]).

    `gap` bytes of rubbish follow each field, `row_gap` each row.
    """
    offsets, step = [], 0
    for _, kind, *count in layout:
        offsets.append(step)
        step += np.dtype(kind).itemsize * (count[0] if count else 1) + gap
    raw = np.full((len(points), step), 0xEE, np.uint8)
    for (name, kind, *_), offset in zip(layout, offsets, strict=True):
        if name in "xyz":
            column = points[:, "xyz".index(name)].astype(order + kind)
            raw[:, offset : offset + column.itemsize] = column.view(np.uint8).reshape(
                len(points), column.itemsize
            )
    rows = raw.reshape(height, len(points) // height * step)
    rows = np.concatenate([rows, np.full((height, row_gap), 0xEE, np.uint8)], axis=1)
    values = dict(
        header=stamp,
        height=height,
        width=len(points) // height,
        fields=[
            point_field(name, offset, _DATATYPES[kind], *count)
            for (name, kind, *count), offset in zip(layout, offsets, strict=True)
        ],
        is_bigendian=order == ">",
        point_step=step,
        row_step=rows.shape[1],
        data=rows.reshape(-1),
        is_dense=False,
    )
    return make("sensor_msgs/msg/PointCloud2", **{**values, **fields})


def audio(data: Any, stamp: int = T0) -> Any:
    """`audio_common_msgs/AudioDataStamped` of bytes."""
    payload = message_class("audio_common_msgs/msg/AudioData")(data=np.frombuffer(data, np.uint8))
    return make("audio_common_msgs/msg/AudioDataStamped", header=stamp, audio=payload)


def speech(sound: np.ndarray, stamp: int = T0) -> Any:
    """The same of float32 [n] in [-1, 1], as S16LE."""
    return audio((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes(), stamp)


def text(words: str) -> Any:
    """`std_msgs/String`."""
    return make("std_msgs/msg/String", data=words)


def event_packet(data: Any, stamp: int = T0, seq: int = 0, **fields: Any) -> Any:
    """`event_camera_msgs/EventPacket` of EVT3 words."""
    values = dict(
        header=stamp,
        width=34,
        height=34,
        seq=seq,
        time_base=0,
        encoding="evt3",
        is_bigendian=False,
        events=data,
    )
    return make("event_camera_msgs/msg/EventPacket", **{**values, **fields})


def event_packets(events: Events, start: int, length: int = 10 * MS, quiet: bool = False) -> list[Any]:
    """Events from time 0 on in packets of `length` ns; `quiet`: with packets in which nothing happens."""
    found: list[Any] = []
    for begin in range(0, int(events.t[-1]) + 1, length):
        part = events.between(begin, begin + length)
        if len(part) or quiet:
            first = int(part.t[0]) if len(part) else begin
            size = {"width": events.width, "height": events.height}
            found.append(event_packet(encode_evt3(part), start + first, len(found), **size))
    return found


def event_array(events: Events, stamp: int = T0) -> Any:
    """`dvs_msgs/EventArray`, with the events' own times."""
    rows = zip(events.x.tolist(), events.y.tolist(), events.t.tolist(), events.p.tolist(), strict=True)
    event = message_class("dvs_msgs/msg/Event")
    listed = [event(x=x, y=y, ts=ns_to_time(t), polarity=p) for x, y, t, p in rows]
    return make(
        "dvs_msgs/msg/EventArray", header=stamp, width=events.width, height=events.height, events=listed
    )


def imu(row: Any, stamp: int = T0, unmeasured: str = "") -> Any:
    """`sensor_msgs/Imu` of acceleration and angular velocity [6], of which one may be `unmeasured`."""
    vector, quaternion = (
        message_class("geometry_msgs/msg/Vector3"),
        message_class("geometry_msgs/msg/Quaternion"),
    )
    values = {}
    for name, (x, y, z) in {"linear_acceleration": row[:3], "angular_velocity": row[3:]}.items():
        values[name] = vector(x=float(x), y=float(y), z=float(z))
        values[f"{name}_covariance"] = np.full(9, -1.0 if name == unmeasured else 0.0)
    return make(
        "sensor_msgs/msg/Imu",
        header=stamp,
        orientation=quaternion(x=0.0, y=0.0, z=0.0, w=1.0),
        orientation_covariance=np.zeros(9),
        **values,
    )


def joints(row: Any, stamp: int = T0) -> Any:
    """`sensor_msgs/JointState` with positions."""
    empty = np.empty(0)
    position = np.asarray(row, np.float64)
    return make(
        "sensor_msgs/msg/JointState", header=stamp, name=[], position=position, velocity=empty, effort=empty
    )


def numbers(row: Any, stamp: int = 0) -> Any:
    """`std_msgs/Float32MultiArray`, which has no stamp."""
    layout = message_class("std_msgs/msg/MultiArrayLayout")(dim=[], data_offset=0)
    return make("std_msgs/msg/Float32MultiArray", layout=layout, data=np.asarray(row, np.float32))


def feed_all(preprocessor: Preprocessor, messages: Iterable[Any]) -> list[Sample]:
    """Feed messages one after the other; the samples they complete, with data of their own."""
    return [
        replace(sample, data=sample.data.copy())
        for message in messages
        for sample in preprocessor.feed(message)
    ]
