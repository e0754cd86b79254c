"""Pools of synthetic sensors: clean embeddings near their centre, corrupted ones near any."""

from __future__ import annotations

import numpy as np

from omnibind_ros.bundle.temperature_scaling import softmax
from omnibind_ros.host.evaluation.pools import Pool
from omnibind_ros.host.evaluation.sensor_sets import SensorSets

D, K, NAMES = 32, 6, ("image", "audio", "touch")


def unit(x: np.ndarray) -> np.ndarray:
    return np.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True), np.float32)


CENTRES = unit(np.random.default_rng(9).standard_normal((K, D)))


def pool(seed: int, count: int = 120, kinds: int = 4, refused: float = 0.2, moments: bool = False) -> Pool:
    """Each kind once, the stronger the farther off and the less evidence.

    Args:
        moments: recording n of every pool shows moment n, and recordings K apart the same class.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % K if moments else rng.integers(0, K, count)
    kind = np.broadcast_to(np.arange(kinds + 1), (count, kinds + 1))
    strength = np.where(kind > 0, rng.random(kind.shape), 0)
    wrong = CENTRES[rng.integers(0, K, kind.shape)]
    mixed = (1 - strength[..., None]) * CENTRES[labels][:, None] + strength[..., None] * wrong
    noise = 0.12 * rng.standard_normal(mixed.shape)
    quality = np.where((kind > 0) & (rng.random(kind.shape) < refused), 0, 1)
    return Pool(
        unit(mixed + noise),
        (rng.normal(2.6, 0.1, kind.shape) - 2 * strength).astype(np.float32),
        quality.astype(np.float32),
        kind.astype(np.int64),
        strength.astype(np.float32),
        labels.astype(np.int64),
        np.array([f"take {n}" if moments else "" for n in range(count)]),
        tuple(f"kind {n}" for n in range(1, kinds + 1)),
    )


def pools(seed: int = 0) -> dict[str, Pool]:
    """One for each of `NAMES`."""
    return {name: pool(seed + n) for n, name in enumerate(NAMES)}


def by_evidence(sets: SensorSets) -> tuple[np.ndarray, np.ndarray]:
    """A fusion that is good enough to compare with: posteriors as sharp as the evidence says, added up."""
    cosines = (sets.embeddings @ CENTRES.T).astype(float)
    beliefs = softmax(np.exp(sets.evidence)[..., None] * cosines) * sets.mask[..., None]
    weights = beliefs.max(axis=2)
    return beliefs.sum(axis=1), weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
