"""Thermal pictures: only the pattern counts, not the absolute temperature.

Cameras deliver kelvins (32FC1), raw counts (mono16) or a false-colour picture; all become one intensity
picture whose own range is stretched to [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from omnibind_ros.sensors.adaptor import Check, SingleShotAdaptor
from omnibind_ros.sensors.image import centre_square
from omnibind_ros.sensors.image_encodings import decode_image, to_intensity


@dataclass(frozen=True)
class ThermalFormat:
    """Preprocessing constants of `thermal`.

    Attributes:
        size: side of the square model input, pixels.
        low, high: percentiles of the picture that become -1 and +1.
        faint: structure (standard deviation over range) under which a picture is only noise.
    """

    size: int = 32
    low: float = 1.0
    high: float = 99.5
    faint: float = 0.02


class ThermalAdaptor(SingleShotAdaptor):
    """`sensor_msgs/Image` or `CompressedImage`; raw sample: float32 [H,W], any affine temperature scale."""

    modality = "thermal"
    Format = ThermalFormat
    format: ThermalFormat

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, 1, self.format.size, self.format.size)

    def decode(self, message: Any) -> NDArray[np.float32]:
        return to_intensity(decode_image(message))

    def check(self, raw: NDArray[np.float32]) -> Check:
        finite = np.isfinite(raw)
        share = float(finite.mean()) if raw.size else 0.0
        if share < 0.5:
            return Check(0.0, f"only {share:.0%} of the pixels are finite")
        values = raw if share == 1.0 else raw[finite]
        low, high = float(values.min()), float(values.max())
        structure = float(values.std()) / (high - low) if high > low else 0.0
        if structure < self.format.faint:
            return Check(0.0, "picture is uniform")
        return Check(share, "" if share == 1.0 else f"{1 - share:.0%} of the pixels are not finite")

    def prepare(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        size = self.format.size
        square = centre_square(raw)
        if not np.isfinite(square).all():
            square = np.where(np.isfinite(square), square, np.nanmedian(raw[np.isfinite(raw)]))
        if square.shape[0] != size:
            shrink = square.shape[0] > size
            square = cv2.resize(
                square, (size, size), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
            )
        low, high = np.percentile(square, (self.format.low, self.format.high))
        scaled = (square - low) * (2.0 / max(high - low, 1e-6)) - 1.0
        return np.asarray(np.clip(scaled, -1.5, 1.5), np.float32)[None, None]
