"""PointCloud2 -> finite xyz points, whatever else the cloud carries and however it is laid out.

A PointCloud2 is a matrix of points of `point_step` bytes in rows of `row_step` bytes; its `fields` say where
in a point each value lies. Coordinates are read as strided views of the message; the only copy is the result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.fields import read_bytes, read_count, read_field, read_text

_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
"""`sensor_msgs/PointField.datatype` -> numpy."""


def decode_points(message: object) -> tuple[NDArray[np.float32], int]:
    """The points of a `sensor_msgs/PointCloud2`.

    Returns:
        float32 [N,3] finite x, y, z in the cloud's unit (metres), possibly a read-only view, and how many
        points were left out because a coordinate is not finite. A cloud of zero points gives ([0,3], 0).

    Raises:
        BadMessage: x, y or z is missing or does not fit in a point, steps are too small, or data is cut.
    """
    height, width = read_count(message, "height"), read_count(message, "width")
    if height == 0 or width == 0:
        return np.empty((0, 3), np.float32), 0

    point_step = read_count(message, "point_step")
    row_step = read_count(message, "row_step") if height > 1 else width * point_step
    if row_step < width * point_step:
        raise BadMessage(
            f"point cloud row_step is {row_step} bytes, but a row of {width} points of {point_step} bytes "
            f"has {width * point_step}"
        )
    layout = _coordinate_layout(message, point_step)
    data = read_bytes(message, "data")
    expected = (height - 1) * row_step + width * point_step
    if data.size < expected:
        raise BadMessage(
            f"point cloud data is cut: {data.size} bytes, but {width}x{height} points of {point_step} bytes "
            f"need {expected}"
        )

    shape, strides = (height, width), (row_step, point_step)
    (x, x_at), (y, y_at), (z, z_at) = layout
    points: NDArray[np.float32]
    if x == y == z and x.itemsize == 4 and x.kind == "f" and y_at - x_at == z_at - y_at:
        view = np.ndarray((*shape, 3), x, data, x_at, (*strides, y_at - x_at))
        points = view.reshape(-1, 3).astype(np.float32, copy=False)
    else:
        points = np.empty((height * width, 3), np.float32)
        for axis, (dtype, offset) in enumerate(layout):
            with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf and is left out below
                points[:, axis] = np.ndarray(shape, dtype, data, offset, strides).ravel()

    finite = np.isfinite(points)
    if finite.all():
        return points, 0
    kept = points[finite.all(axis=1)]
    return kept, len(points) - len(kept)


def _coordinate_layout(message: object, point_step: int) -> list[tuple[np.dtype[np.generic], int]]:
    """dtype (with byte order) and offset of x, y and z within a point."""
    fields = read_field(message, "fields")
    if not isinstance(fields, (list, tuple)):
        raise BadMessage(f"point cloud fields are {type(fields).__name__}, not a list")
    by_name = {read_text(field, "name"): field for field in fields}
    missing = [name for name in "xyz" if name not in by_name]
    if missing:
        raise BadMessage(
            f"point cloud has no field {', '.join(missing)}; it has {', '.join(by_name) or 'no fields'}"
        )

    order = ">" if read_field(message, "is_bigendian") else "<"
    layout = []
    for name in "xyz":
        field = by_name[name]
        code, count, offset = (read_count(field, key) for key in ("datatype", "count", "offset"))
        if code not in _DTYPES:
            raise BadMessage(f"point cloud field {name!r} has unknown datatype {code}; valid: 1 to 8")
        if count > 1:
            raise BadMessage(f"point cloud field {name!r} has count {count}; a coordinate is one number")
        dtype: np.dtype[np.generic] = np.dtype(order + _DTYPES[code])
        if offset + dtype.itemsize > point_step:
            raise BadMessage(
                f"point cloud field {name!r} ends at byte {offset + dtype.itemsize}, but its points are "
                f"{point_step} bytes"
            )
        layout.append((dtype, offset))
    return layout
