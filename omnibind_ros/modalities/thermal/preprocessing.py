"""Thermal pictures: the pattern counts, not the absolute temperature.

Cameras deliver kelvins (32FC1), raw counts (mono16) or a false-colour picture; all become one intensity
picture whose own range is stretched to [-1, 1]. A few hot or dead pixels change neither range nor quality.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.image.encodings import decode_image, robust_range, to_intensity
from omnibind_ros.modalities.image.preprocessing import centre_square
from omnibind_ros.modalities.preprocessor import Check, SingleShotPreprocessor


@dataclass(frozen=True)
class ThermalFormat:
    """Preprocessing constants of `thermal`.

    Attributes:
        size: side of the square model input, pixels.
        low, high: percentiles of the picture that become -1 and +1.
        faint: standard deviation over range under which a picture is uniform.
        grain: share of the standard deviation that is left after a 3 x 3 mean, under which a picture is only
            noise (of white noise a third is left, of the faintest real heat trace three quarters).
    """

    size: int = 32
    low: float = 1.0
    high: float = 99.5
    faint: float = 0.02
    grain: float = 0.5


class ThermalPreprocessor(SingleShotPreprocessor):
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
        if not raw.size:
            return Check(0.0, "picture has no pixels")
        low, high = robust_range(raw)
        share = 1.0
        if not _all_finite(raw):
            finite = np.isfinite(raw)
            share = float(finite.mean())
            if share < 0.5:
                return Check(0.0, f"only {share:.0%} of the pixels are finite")
            raw = raw[finite]
        raw = np.clip(raw, low, high)
        if low == high or float(cv2.meanStdDev(raw)[1][0, 0]) / (high - low) < self.format.faint:
            return Check(0.0, "picture is uniform")
        if share == 1.0 and self._is_grain(raw):
            return Check(0.0, "picture is only noise")
        return Check(share, "" if share == 1.0 else f"{1 - share:.0%} of the pixels are not finite")

    def _is_grain(self, raw: NDArray[np.float32]) -> bool:
        small = self._resized(centre_square(raw))
        left = cv2.meanStdDev(cv2.blur(small, (3, 3)))[1][0, 0]
        return bool(left < self.format.grain * cv2.meanStdDev(small)[1][0, 0])

    def prepare(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        square = centre_square(raw)
        small = self._resized(square)
        if not _all_finite(small):
            small = self._resized(np.where(np.isfinite(square), square, np.median(raw[np.isfinite(raw)])))
        ordered = np.sort(small, axis=None)
        low, high = _percentile(ordered, self.format.low), _percentile(ordered, self.format.high)
        scaled = (small - np.float64(low)) * (2.0 / max(high - low, 1e-6)) - 1.0
        return np.asarray(np.clip(scaled, -1.5, 1.5), np.float32)[None, None]

    def _resized(self, square: NDArray[np.float32]) -> NDArray[np.float32]:
        size = self.format.size
        if len(square) == size:
            return square
        way = cv2.INTER_AREA if len(square) > size else cv2.INTER_LINEAR
        return cv2.resize(square, (size, size), interpolation=way)  # type: ignore[return-value]


def _all_finite(values: NDArray[np.float32]) -> bool:
    """A value that is not finite is the minimum or the maximum; both are NaN if there is a NaN."""
    return math.isfinite(values.min()) and math.isfinite(values.max())


def _percentile(ordered: NDArray[np.float32], percent: float) -> float:
    """Linearly interpolated, as by np.percentile, which sorts anew for each."""
    position = (len(ordered) - 1) * percent / 100
    below = int(position)
    lower, upper = ordered[below : below + 2][[0, -1]].tolist()
    return float(lower + (upper - lower) * (position - below))
