"""Point clouds, seen from three sides.

A cloud has no order and any number of points, an encoder wants a fixed tensor: the cloud is centred, scaled
to fill a cube and splatted onto the three planes of its axes (front xy, top xz, side zy). What a pixel holds
is how surely some point fell there, so neither the order nor the density of the points matters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.sensors.adaptor import Check, Sample, SingleShotAdaptor, stamp_and_frame
from omnibind_ros.sensors.point_fields import decode_points


@dataclass(frozen=True)
class PointCloudFormat:
    """Preprocessing constants of `point_cloud`.

    Attributes:
        size: pixels along each side of a view.
        margin: share of a view left free on each side.
        softness: how fast a pixel saturates with the points that fall into it.
        few, enough: point counts at which quality is 0 and 1.
    """

    size: int = 32
    margin: float = 0.08
    softness: float = 1.5
    few: int = 6
    enough: int = 16


_VIEWS = ((0, 1), (0, 2), (2, 1))
"""Horizontal and vertical axis of the front, top and side view."""


class PointCloudAdaptor(SingleShotAdaptor):
    """`sensor_msgs/PointCloud2`; raw sample: float32 [N,3] metres, x right, y up (as the sensor's frame has it)."""

    modality = "point_cloud"
    Format = PointCloudFormat
    format: PointCloudFormat

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, len(_VIEWS), self.format.size, self.format.size)

    def decode(self, message: Any) -> NDArray[np.float32]:
        return decode_points(message)[0]

    def feed(self, message: Any) -> list[Sample]:
        points, dropped = decode_points(message)
        verdict = self.check(points)
        quality, reason = verdict.quality, verdict.reason
        if dropped and quality > 0:
            quality *= len(points) / (len(points) + dropped)
            reason = reason or f"{dropped} of {len(points) + dropped} points are not finite"
        stamp, frame_id = stamp_and_frame(message)
        data = self.prepare(points) if quality > 0 else self.nothing
        return [Sample(data, stamp, frame_id, quality, reason)]

    def check(self, raw: NDArray[np.float32]) -> Check:
        few, enough = self.format.few, self.format.enough
        if len(raw) <= few:
            return Check(0.0, f"cloud has {len(raw)} points")
        if not np.ptp(raw, axis=0).max() > 0:
            return Check(0.0, "all points are the same")
        quality = min(1.0, (len(raw) - few) / (enough - few))
        return Check(quality, "" if quality == 1.0 else f"cloud has only {len(raw)} points")

    def prepare(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        size = self.format.size
        low, high = raw.min(axis=0), raw.max(axis=0)
        extent = max(float((high - low).max()), 1e-9)
        usable = (size - 1) * (1.0 - 2.0 * self.format.margin)
        pixels = (raw - (low + high) / 2) * (usable / extent) + (size - 1) / 2
        views = np.stack([_splat(pixels[:, a], pixels[:, b], size) for a, b in _VIEWS])
        saturated = 1.0 - np.exp(-self.format.softness * views)
        return saturated.astype(np.float32)[None]


def _splat(x: NDArray[np.float32], y: NDArray[np.float32], size: int) -> NDArray[np.float64]:
    """Bilinear histogram [size,size] of pixel coordinates, y upwards."""
    column, row = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    right, up = x - column, y - row
    corners = [
        (0, 0, (1 - right) * (1 - up)),
        (1, 0, right * (1 - up)),
        (0, 1, (1 - right) * up),
        (1, 1, right * up),
    ]
    last = size - 1
    flat = np.concatenate(
        [(last - np.minimum(row + dy, last)) * size + np.minimum(column + dx, last) for dx, dy, _ in corners]
    )
    weights = np.concatenate([weight for *_, weight in corners]).astype(np.float64)
    return (
        np.bincount(flat, weights, minlength=size * size).reshape(size, size).astype(np.float64, copy=False)
    )
