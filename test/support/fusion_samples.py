"""Embeddings, spaces and engines that the fusion tests share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.types import Embedding, Space

SPACE = Space("test/space/1", dim=16)
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def seconds(value: float) -> int:
    """Seconds -> ns."""
    return round(value * SECOND)


def unit(seed: int, dim: int = SPACE.dim) -> NDArray[np.float32]:
    """A random unit vector."""
    vector: NDArray[np.float32] = np.random.default_rng(seed).standard_normal(dim).astype(np.float32)
    vector /= np.linalg.norm(vector)
    return vector


_seeds = iter(range(10**9))


def embedding(
    sensor: str = "camera",
    stamp: int = START,
    modality: str = "image",
    vector: NDArray[np.float32] | None = None,
    space: int = SPACE.tag,
    quality: float = 1.0,
    evidence: float = 2.5,
) -> Embedding:
    """A valid embedding; without a `vector`, one that differs from all before."""
    if vector is None:
        vector = unit(next(_seeds))
    return Embedding(sensor, modality, vector, stamp, space, quality, evidence)
