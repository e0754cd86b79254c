"""An embedding on the wire: one N-dimensional point of a sensor_msgs/PointCloud2.

    fields[0]  <modality>  FLOAT32 x D   the unit vector
               quality     FLOAT32 x 1   signal checks, 0 to 1
               evidence    FLOAT32 x 1   log of the encoder's output norm
               space       UINT32  x 1   `Space.tag`
               span        FLOAT32 x 1   seconds from the beginning of the sample to its stamp; optional

little endian, in this order as this module writes them; a reader takes the vector from `fields[0]` and finds
the others by name. `header` carries the sample's stamp and the sensor's frame, the topic the sensor's name. A
cloud of zero points is a withdrawal: the encoder runs and has no valid embedding.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import make_header, stamp_of
from omnibind_ros.types import Embedding, Modality, Recognition

_UINT32, _FLOAT32 = 6, 7
_SCALARS = {"quality": _FLOAT32, "evidence": _FLOAT32, "space": _UINT32}
_OPTIONAL = {"span": _FLOAT32}
_FLOAT: Callable[..., tuple[float]] = struct.Struct("<f").unpack_from
_UINT: Callable[..., tuple[int]] = struct.Struct("<I").unpack_from

FUSED = "fused"
"""What stands in place of the modality in `omnibind/fused_embedding`."""


def encode_embedding(embedding: Embedding) -> Any:
    """The `sensor_msgs/msg/PointCloud2` of an embedding."""
    dim = len(embedding.vector)
    point = np.empty(dim + 4, "<f4")
    point[:dim] = embedding.vector
    point[dim] = embedding.quality
    point[dim + 1] = embedding.evidence
    point[dim + 2 : dim + 3].view("<u4")[0] = embedding.space
    point[dim + 3] = embedding.span
    return _cloud(embedding.modality, dim, point.view(np.uint8), 1, embedding.stamp, embedding.frame_id)


def encode_withdrawal(modality: Modality, stamp: int, frame_id: str = "") -> Any:
    """The `sensor_msgs/msg/PointCloud2` without points: the encoder runs and has no valid embedding."""
    return _cloud(modality, 0, np.empty(0, np.uint8), 0, stamp, frame_id)


def encode_fused(recognition: Recognition, space: int, frame_id: str = "") -> Any:
    """The `sensor_msgs/msg/PointCloud2` for `omnibind/fused_embedding`; a withdrawal if none is live."""
    if recognition.fused is None:
        return encode_withdrawal(FUSED, recognition.stamp, frame_id)
    return encode_embedding(
        Embedding(FUSED, FUSED, recognition.fused, recognition.stamp, space, frame_id=frame_id)
    )


def decode_embedding(message: Any, sensor: str) -> Embedding | None:
    """The embedding of `sensor` in a `sensor_msgs/PointCloud2`; None for a withdrawal.

    The vector is a view of the message. `Embedding.check` decides whether fusion can use it.

    Raises:
        BadMessage: it is no embedding: more than one point, big endian, a field missing, of another type, or
            outside the data.
    """
    points = message.height * message.width
    if points == 0:
        return None
    try:
        if points > 1:
            raise BadMessage(f"it has {points} points; an embedding is one")
        if message.is_bigendian:
            raise BadMessage("it is big endian; embeddings are little endian")
        data = message.data
        described = tuple([(f.name, f.offset, f.datatype, f.count) for f in message.fields])
        layout = _checked_layout(described, data.size)
    except BadMessage as error:
        raise BadMessage(f"embedding of sensor {sensor!r}: {error}") from None
    return Embedding(
        sensor,
        layout.modality,
        np.ndarray(layout.dim, "<f4", data, layout.vector),
        stamp_of(message),
        space=_UINT(data, layout.space)[0],
        quality=_FLOAT(data, layout.quality)[0],
        evidence=_FLOAT(data, layout.evidence)[0],
        frame_id=message.header.frame_id,
        span=0.0 if layout.span is None else _FLOAT(data, layout.span)[0],
    )


class _Layout(NamedTuple):
    """Where in the data the parts of an embedding begin."""

    modality: Modality
    dim: int
    vector: int
    quality: int
    evidence: int
    space: int
    span: int | None = None


_Fields = tuple[tuple[str, int, int, int], ...]


@lru_cache(maxsize=64)
def _checked_layout(fields: _Fields, size: int) -> _Layout:
    """The layout that `fields` of `size` bytes describe; a sensor's never changes, so it is checked once."""
    if not fields:
        raise BadMessage("it has no fields; the first is the vector")
    modality, vector, _, dim = fields[0]
    starts = {}
    for index, (name, offset, datatype, count) in enumerate(fields):
        wanted = _FLOAT32 if index == 0 else _SCALARS.get(name) or _OPTIONAL.get(name)
        if wanted is None:
            continue
        if datatype != wanted or count < 1:
            kind = "FLOAT32" if wanted == _FLOAT32 else "UINT32"
            raise BadMessage(f"field {name!r} is datatype {datatype} x {count}, not {kind}")
        if offset < 0 or offset + 4 * count > size:
            raise BadMessage(f"data is cut: field {name!r} ends at byte {offset + 4 * count} of {size}")
        if index > 0:
            starts[name] = int(offset)
    missing = ", ".join(name for name in _SCALARS if name not in starts)
    if missing:
        raise BadMessage(f"it has no field {missing}; is this a point cloud and no embedding?")
    return _Layout(str(modality), int(dim), int(vector), **starts)


def _cloud(
    modality: Modality,
    dim: int,
    data: NDArray[np.uint8],
    points: int,
    stamp: int,
    frame_id: str,
) -> Any:
    return message_class("sensor_msgs/msg/PointCloud2")(
        header=make_header(stamp, frame_id),
        height=1,
        width=points,
        fields=_fields(modality, dim),
        is_bigendian=False,
        point_step=4 * dim + 16,
        row_step=data.size,
        data=data,
        is_dense=True,
    )


@lru_cache(maxsize=64)
def _fields(modality: Modality, dim: int) -> list[Any]:
    """The layout of an embedding, shared by all its messages."""
    field = message_class("sensor_msgs/msg/PointField")
    return [
        field(name=modality, offset=0, datatype=_FLOAT32, count=dim),
        field(name="quality", offset=4 * dim, datatype=_FLOAT32, count=1),
        field(name="evidence", offset=4 * dim + 4, datatype=_FLOAT32, count=1),
        field(name="space", offset=4 * dim + 8, datatype=_UINT32, count=1),
        field(name="span", offset=4 * dim + 12, datatype=_FLOAT32, count=1),
    ]
