"""PointCloud2 -> the xyz points that the sensor measured, whatever else the cloud carries and its layout.

A PointCloud2 is a matrix of points of `point_step` bytes in rows of `row_step` bytes; its `fields` define
where in a point each value lies. Coordinates are read as strided views of the message; the only copy is the
result.

Sensors have two ways to mark a return as invalid: NaN (REP 117), and the point (0, 0, 0).
"""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage

_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}
"""`sensor_msgs/PointField.datatype` -> numpy."""


def decode_points(
    message: Any, *, most: int | None = None, skip_zero_returns: bool = True
) -> tuple[NDArray[np.float32], int]:
    """The valid points of a `sensor_msgs/PointCloud2`.

    Args:
        most: the most points to return. Of a larger cloud, points are read at regular steps; all are read if
            too few of these are valid.
        skip_zero_returns: more than one point exactly at (0, 0, 0) are invalid returns; a single one may be
            a point.

    Returns:
        float32 [N,3] finite x, y, z in the cloud's unit (metres), and how many of the points that were read
        are invalid. A cloud of zero points gives ([0,3], 0).

    Raises:
        BadMessage: x, y or z is missing or does not fit in a point, steps are too small, or data is cut.
    """
    if message.height == 0 or message.width == 0:
        return np.empty((0, 3), np.float32), 0
    views = _coordinates(message)
    step = 1 if most is None else _step(len(views[0]), message.width, most)
    points, invalid = _valid(views, step, skip_zero_returns)
    if most is not None and step > 1 and points.shape[1] < most // 4:
        points, invalid = _valid(views, 1, skip_zero_returns)
        points = points[:, :: max(1, -(-points.shape[1] // most))]
    return points.T, invalid


def _step(count: int, width: int, most: int) -> int:
    """Read every so many points: a number without a factor in common with the width of a picture or the usual
    numbers of rings of a lidar (16 to 128, 40), so that the points come from all columns and rings."""
    step = -(-count // most)
    while gcd(step, 10 * width) > 1:
        step += 1
    return step


def _valid(views: list[NDArray[Any]], step: int, skip_zero_returns: bool) -> tuple[NDArray[np.float32], int]:
    """Every `step`-th point, float32 [3,N], without the invalid ones, and how many these are."""
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes inf
        points = np.array([view[::step] for view in views], np.float32)
    valid = np.isfinite(points).all(axis=0)
    if skip_zero_returns:
        zero = ~points.any(axis=0)
        if np.count_nonzero(zero) > 1:
            valid &= ~zero
    invalid = valid.size - int(np.count_nonzero(valid))
    return (points[:, valid] if invalid else points), invalid


def _coordinates(message: Any) -> list[NDArray[Any]]:
    """x, y and z of all points, [height * width] each; views unless rows are padded."""
    height, width, point_step = message.height, message.width, message.point_step
    row_step = message.row_step if height > 1 else width * point_step
    if row_step < width * point_step:
        raise BadMessage(
            f"point cloud row_step is {row_step} bytes, but a row of {width} points of {point_step} bytes "
            f"has {width * point_step}"
        )
    layout = _layout(message)
    data = np.frombuffer(message.data, np.uint8)
    expected = (height - 1) * row_step + width * point_step
    if data.size < expected:
        raise BadMessage(
            f"point cloud data is cut: {data.size} bytes, but {width}x{height} points of {point_step} bytes "
            f"need {expected}"
        )
    shape, strides = (height, width), (row_step, point_step)
    return [np.ndarray(shape, dtype, data, offset, strides).reshape(-1) for dtype, offset in layout]


def _layout(message: Any) -> list[tuple[np.dtype[Any], int]]:
    """dtype (with byte order) and offset of x, y and z within a point."""
    by_name = {field.name: field for field in message.fields}
    missing = [name for name in "xyz" if name not in by_name]
    if missing:
        raise BadMessage(
            f"point cloud has no field {', '.join(missing)}; it has {', '.join(by_name) or 'no fields'}"
        )
    order = ">" if message.is_bigendian else "<"
    layout: list[tuple[np.dtype[Any], int]] = []
    for name in "xyz":
        field = by_name[name]
        if field.datatype not in _DTYPES:
            raise BadMessage(
                f"point cloud field {name!r} has unknown datatype {field.datatype}; valid: 1 to 8"
            )
        if field.count > 1:
            raise BadMessage(
                f"point cloud field {name!r} has count {field.count}; a coordinate is one number"
            )
        dtype = np.dtype(order + _DTYPES[field.datatype])
        if field.offset + dtype.itemsize > message.point_step:
            raise BadMessage(
                f"point cloud field {name!r} ends at byte {field.offset + dtype.itemsize}, but points are "
                f"{message.point_step} bytes"
            )
        layout.append((dtype, field.offset))
    return layout
