"""How the student of cameras is trained, and how cameras fail."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

STUDENT = {
    "widths": (32, 64, 128), "stem_stride": 2, "samples": 220_000,
    "augment": {
        "rotation": 14, "scale": 0.16, "stretch": 0.1, "shift_x": 0.1, "shift_y": 0.1, "shear": 0.15,
        "gain": 0.35, "offset": 0.35, "mask_x": 0.15, "mask_y": 0.15, "noise": 0.12, "fill": None,
    },
}  # fmt: skip


def dim_image(pixels: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Too dark, with the sensor's noise left."""
    return _to_uint8(pixels * (1 - strength) + rng.normal(0, 6, pixels.shape))


def blur_image(pixels: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Out of focus."""
    sigma = max(0.3, strength * 0.18 * min(pixels.shape[:2]))
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)


def expose_image(pixels: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Over-exposed."""
    return _to_uint8(pixels.astype(np.float32) * (1 + 4 * strength) + 255 * strength**2)


def occlude_image(pixels: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Something in front of the lens."""
    height, width = pixels.shape[:2]
    h, w = max(1, round(height * strength)), max(1, round(width * strength))
    top, left = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
    covered = pixels.copy()
    covered[top : top + h, left : left + w] = rng.integers(0, 256, 3)
    return np.asarray(covered)


def noise_image(pixels: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The noise of a sensor at high gain."""
    return _to_uint8(pixels + 150 * strength * rng.standard_normal(pixels.shape, np.float32))


CORRUPTIONS = (dim_image, blur_image, expose_image, occlude_image, noise_image)


def _to_uint8(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(pixels, 0, 255), np.uint8)
