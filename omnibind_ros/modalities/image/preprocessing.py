"""Camera images: the centre square, resized, scaled to about zero mean and unit variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.image.encodings import decode_rgb
from omnibind_ros.modalities.preprocessor import Check, Sample, SingleShotPreprocessor


@dataclass(frozen=True)
class ImageFormat:
    """Preprocessing constants of `image`.

    Attributes:
        size: side of the square model input, pixels.
        mean, std: grey value (0-1) that becomes 0, and the spread that becomes 1.
        blank_contrast, full_contrast: standard deviation of grey values (0-255) at which quality is 0 and 1.
    """

    size: int = 48
    mean: float = 0.45
    std: float = 0.25
    blank_contrast: float = 4.0
    full_contrast: float = 12.0


class ImagePreprocessor(SingleShotPreprocessor):
    """`sensor_msgs/Image` or `CompressedImage`; raw sample: uint8 [H,W,3] RGB."""

    modality = "image"
    Format = ImageFormat
    format: ImageFormat

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, 3, self.format.size, self.format.size)

    def decode(self, message: Any) -> NDArray[np.uint8]:
        return decode_rgb(message)

    def feed(self, message: Any, received: int = 0) -> list[Sample]:
        return self.sample(decode_rgb(message, least=3 * self.format.size // 2), message)

    def check(self, raw: NDArray[np.uint8]) -> Check:
        small = cv2.resize(_sparse(centre_square(raw)), (32, 32), interpolation=cv2.INTER_AREA)
        mean, deviation = cv2.meanStdDev(small)
        contrast = float(deviation.max())
        blank, full = self.format.blank_contrast, self.format.full_contrast
        quality = float(np.clip((contrast - blank) / (full - blank), 0.0, 1.0))
        if quality == 1.0:
            return Check(1.0)
        level = float(mean.mean())
        what = "black" if level < 32 else "saturated" if level > 223 else "without contrast"
        return Check(quality, f"picture is {what} (contrast {contrast:.1f} of 255)")

    def prepare(self, raw: NDArray[np.uint8]) -> NDArray[np.float32]:
        size = self.format.size
        square = centre_square(raw)
        enlarging = square.shape[0] < size
        small = cv2.resize(
            square, (size, size), interpolation=cv2.INTER_LINEAR if enlarging else cv2.INTER_AREA
        )
        scaled = np.ascontiguousarray(small.transpose(2, 0, 1), np.float32)
        scaled *= 1.0 / (255.0 * self.format.std)
        scaled -= self.format.mean / self.format.std
        return np.asarray(scaled[None])


def _sparse(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Some 160 rows of a large picture, as a view: enough to measure its contrast, at a fraction of the cost.

    Both sides are multiples of 32, since OpenCV averages blocks of whole pixels several times faster.
    """
    height, width = pixels.shape[:2]
    if min(height, width) < 320:
        return pixels
    rows = pixels[:: height // 160]
    return rows[: len(rows) // 32 * 32, : width // 32 * 32]


def centre_square(pixels: NDArray[Any]) -> NDArray[Any]:
    """The largest centred square of a picture [H,W,...], as a view."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]
