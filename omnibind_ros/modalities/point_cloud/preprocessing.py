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

from omnibind_ros.modalities.point_cloud.point_fields import decode_points
from omnibind_ros.modalities.preprocessor import Check, Sample, SingleShotPreprocessor, stamp_and_frame


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


_HORIZONTAL, _VERTICAL = np.array([[0, 0, 2], [1, 2, 1]])
"""Axes of the front, top and side view."""


class PointCloudPreprocessor(SingleShotPreprocessor):
    """`sensor_msgs/PointCloud2`; raw sample: float32 [N,3] metres, x right, y up (as its frame has it)."""

    modality = "point_cloud"
    Format = PointCloudFormat
    format: PointCloudFormat

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, len(_HORIZONTAL), self.format.size, self.format.size)

    def decode(self, message: Any) -> NDArray[np.float32]:
        return decode_points(message)[0]

    def feed(self, message: Any, received: int = 0) -> list[Sample]:
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
        if not np.ptp(_by_axis(raw), axis=1).max() > 0:
            return Check(0.0, "all points are the same")
        quality = min(1.0, (len(raw) - few) / (enough - few))
        return Check(quality, "" if quality == 1.0 else f"cloud has only {len(raw)} points")

    def prepare(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        size = self.format.size
        axes = _by_axis(raw)
        low, high = axes.min(axis=1, keepdims=True), axes.max(axis=1, keepdims=True)
        extent = max(float((high - low).max()), 1e-9)
        usable = (size - 1) * (1.0 - 2.0 * self.format.margin)
        pixels = (axes - (low + high) / 2) * (usable / extent) + (size - 1) / 2
        views = _splat(pixels, size)
        return np.asarray(1.0 - np.exp(-self.format.softness * views)[None])


def _by_axis(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32 [3,N]: numpy is quick along rows of thousands, not of three."""
    return np.ascontiguousarray(points.T)


def _splat(pixels: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Bilinear histograms [views,size,size] of pixel coordinates [3,N] in 0 to size - 1, y upwards."""
    lower = np.minimum(pixels.astype(np.intp), size - 2)
    rest = pixels - lower.astype(np.float32)
    column, row = lower[_HORIZONTAL], size - 1 - lower[_VERTICAL]
    right, up = rest[_HORIZONTAL], rest[_VERTICAL]
    # All views are counted at once, as if they were one tall picture.
    cell = ((row + np.arange(len(row))[:, None] * size) * size + column).ravel()
    n, r, u, b = (
        np.bincount(cell, share, minlength=len(row) * size * size).reshape(-1, size, size)
        for share in (None, right.ravel(), up.ravel(), (right * up).ravel())
    )
    # A point gives its lower left pixel (1 - right)(1 - up), the one right of it right(1 - up), and so on.
    views = n - r - u + b
    views[:, :, 1:] += (r - b)[:, :, :-1]
    views[:, :-1] += (u - b)[:, 1:]
    views[:, :-1, 1:] += b[:, 1:, :-1]
    return views.astype(np.float32)
