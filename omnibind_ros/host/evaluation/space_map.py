"""How recordings of all modalities lie to each other in the space: retrieval, and a map of it.

A map is made by t-SNE (van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 2008), exact, which is
quick for some hundred points and needs no library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.evaluation.pools import NO_LABEL, Pool


def retrieval(pools: Mapping[str, Pool]) -> list[dict[str, Any]]:
    """Recall at 1 and 5 from each modality to each other one.

    A query is answered at k if one of the k nearest recordings of the other modality shows the same class;
    queries of classes that the other modality lacks are left out.
    """
    table = []
    for name, pool in pools.items():
        for other, gallery in pools.items():
            if name == other:
                continue
            asked = (
                np.isin(pool.labels, gallery.labels) & (pool.labels != NO_LABEL) & (pool.quality[:, 0] > 0)
            )
            there = (gallery.labels != NO_LABEL) & (gallery.quality[:, 0] > 0)
            if not asked.any() or not there.any():
                continue
            cosines = pool.clean[asked] @ gallery.clean[there].T
            nearest = gallery.labels[there][np.argsort(-cosines, axis=1)[:, :5]]
            hit = nearest == pool.labels[asked, None]
            table.append(
                {
                    "from": name,
                    "to": other,
                    "n": int(asked.sum()),
                    "r1": round(float(hit[:, 0].mean()), 4),
                    "r5": round(float(hit.any(axis=1).mean()), 4),
                }
            )
    return table


def space_map(
    pools: Mapping[str, Pool], labels: tuple[str, ...], per_modality: int = 80, seed: int = 0
) -> list[dict[str, Any]]:
    """Where some recordings of each modality lie on a plane: rows of modality, label, x and y."""
    rng = np.random.default_rng(seed)
    names, classes, vectors = [], [], []
    for modality, pool in pools.items():
        usable = np.flatnonzero((pool.labels != NO_LABEL) & (pool.quality[:, 0] > 0))
        for row in rng.permutation(usable)[:per_modality]:
            names.append(modality)
            classes.append(labels[pool.labels[row]])
            vectors.append(pool.clean[row])
    if len(vectors) < 10:
        return []
    plane = tsne(np.stack(vectors), rng)
    return [
        {"modality": m, "label": label, "x": round(float(x), 3), "y": round(float(y), 3)}
        for m, label, (x, y) in zip(names, classes, plane, strict=True)
    ]


def tsne(
    vectors: NDArray[np.floating], rng: np.random.Generator, perplexity: float = 25.0, steps: int = 400
) -> NDArray[np.float64]:
    """Vectors [M, D] -> [M, 2], neighbours near each other."""
    count = len(vectors)
    squared = _squared_distances(np.asarray(vectors, np.float64))
    wanted = _affinities(squared, min(perplexity, (count - 1) / 3))
    wanted = np.maximum((wanted + wanted.T) / (2 * count), 1e-12)
    centred = vectors - vectors.mean(axis=0)
    place = 1e-2 * np.linalg.svd(centred, full_matrices=False)[0][:, :2] * np.sqrt(count)
    place = place + 1e-4 * rng.standard_normal(place.shape)
    velocity, gain = np.zeros_like(place), np.ones_like(place)
    for step in range(steps):
        early = step < steps // 4
        closeness = 1 / (1 + _squared_distances(place))
        np.fill_diagonal(closeness, 0)
        pull = (wanted * (12.0 if early else 1.0) - closeness / closeness.sum()) * closeness
        slope = 4 * (pull.sum(axis=1, keepdims=True) * place - pull @ place)
        gain = np.maximum(np.where(np.sign(slope) == np.sign(velocity), 0.8 * gain, gain + 0.2), 0.01)
        velocity = (0.5 if early else 0.8) * velocity - max(count / 12, 50) * gain * slope
        place = place + velocity
        place -= place.mean(axis=0)
    return np.asarray(place)


def _squared_distances(points: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = (points**2).sum(axis=1)
    return np.asarray(np.maximum(norms[:, None] + norms[None] - 2 * points @ points.T, 0.0))


def _affinities(squared: NDArray[np.float64], perplexity: float) -> NDArray[np.float64]:
    """Row-wise softmax of -squared x sharpness, the sharpness bisected until each row has the perplexity."""
    off_diagonal = squared + np.diag(np.full(len(squared), np.inf))
    low, high = np.full(len(squared), 1e-6), np.full(len(squared), 1e6)
    for _ in range(50):
        sharpness = np.sqrt(low * high)
        logits = -off_diagonal * sharpness[:, None]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares = powers / powers.sum(axis=1, keepdims=True)
        entropy = -(shares * np.log(np.maximum(shares, 1e-30))).sum(axis=1)
        too_wide = entropy > np.log(perplexity)
        low, high = np.where(too_wide, sharpness, low), np.where(too_wide, high, sharpness)
    return np.asarray(shares)
