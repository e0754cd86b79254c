"""A camera looking at a digit written on paper, or a scan of one.

Two looks: a photograph (paper and ink of random colours, dark on light or chalk on a board, uneven light,
ruled lines, blur, sensor noise), and a scan in the manner of MNIST (LeCun et al. 1998: light on dark, 20
pixels high in a 28 x 28 field, centred by its mass), enlarged.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from omnibind_ros.simulation.drawing import rasterise
from omnibind_ros.simulation.hand import write
from omnibind_ros.types import Floats

_ENLARGE = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)


def simulate_image(label: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A colour picture uint8 [H,W,3] RGB, 64 to 128 pixels square."""
    side = int(rng.integers(64, 129))
    return _scan(label, side, rng) if rng.random() < 0.5 else _photograph(label, side, rng)


def _scan(label: int, side: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    stroke = write(label, rng).framed(rng.uniform(17, 19) / 28, (0.5, 0.5))
    ink = rasterise(stroke, 28, width=rng.uniform(1.2, 3.4))
    ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.35, 0.6)), np.float32)
    mass = ink / max(float(ink.sum()), 1e-6)
    shift = 13.5 - np.array([mass.sum(0) @ np.arange(28), mass.sum(1) @ np.arange(28)])
    move = np.array([[1, 0, round(shift[0])], [0, 1, round(shift[1])]], np.float64)
    grey = np.clip(cv2.warpAffine(ink, move, (28, 28)) * rng.uniform(1.0, 1.5), 0, 1) * 255
    large = cv2.resize(
        grey.astype(np.uint8), (side, side), interpolation=_ENLARGE[rng.integers(len(_ENLARGE))]
    )
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2RGB), np.uint8)


def _photograph(label: int, side: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    ink = rasterise(write(label, rng), side, width=side * rng.uniform(0.02, 0.08), oversample=2)
    ink = np.clip(
        cv2.GaussianBlur(ink, (0, 0), side / 64 * rng.uniform(0.3, 1.0)) * rng.uniform(0.9, 1.1), 0, 1
    )
    paper, pen = _colours(rng)
    picture = paper + (ink * rng.uniform(0.75, 1.0))[..., None] * (pen - paper)
    picture *= _light(side, rng)[..., None]
    if rng.random() < 0.25:
        picture[_rules(side, rng)] *= 0.85
    picture += rng.normal(0, rng.uniform(1, 9), (side, side)).astype(np.float32)[..., None]
    picture += rng.standard_normal(picture.shape, np.float32) * rng.uniform(0.5, 4)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _colours(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """A paper colour and an ink colour float32 [3] that differ clearly in brightness."""
    light = rng.uniform(165, 250) + rng.normal(0, 9, 3)
    dark = rng.uniform(10, 70) + rng.gamma(0.8, 22, 3)
    dark *= min(1.0, (light.mean() - 80) / max(dark.mean(), 1e-6))
    paper, pen = (light, dark) if rng.random() < 0.7 else (dark, light)
    return np.clip(paper, 0, 255).astype(np.float32), np.clip(pen, 0, 255).astype(np.float32)


def _light(side: int, rng: np.random.Generator) -> Floats:
    """Uneven light float32 [side,side] around 0.95: a slope across the page and a darker rim."""
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    slope, rim = rng.uniform(-0.15, 0.15, 2), rng.uniform(0, 0.12)
    rows, columns = slope[0] * axis - rim * axis**2, slope[1] * axis - rim * axis**2
    return np.asarray(1.0 + rows[:, None] + columns, np.float32)


def _rules(side: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Where ruled or squared paper has its lines: bool [side,side]."""
    pitch, offset = int(rng.integers(side // 8, side // 3)), rng.integers(0, side, 2)
    rows, columns = [(np.arange(side) + int(o)) % pitch == 0 for o in offset]
    return rows[:, None] | columns if rng.random() < 0.5 else np.broadcast_to(rows[:, None], (side, side))
