"""Recordings of all modalities in the shared space: retrieval between modalities, and a map of the space."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from omnibind_ros.host.evaluation.pools import NO_LABEL, Pool

_log = logging.getLogger(__name__)

_PERPLEXITY = 25.0
_FEWEST = 10  # points of a map


def retrieval(pools: Mapping[str, Pool]) -> list[dict[str, Any]]:
    """Recall at 1 and at 5 from each modality to each other one.

    A query is a hit at k if one of the k nearest recordings of the other modality has its class. Queries of
    classes that the other modality lacks are left out.
    """
    table = []
    for name, pool in pools.items():
        for other, gallery in pools.items():
            if name == other:
                continue
            queries = (
                np.isin(pool.labels, gallery.labels) & (pool.labels != NO_LABEL) & (pool.quality[:, 0] > 0)
            )
            candidates = (gallery.labels != NO_LABEL) & (gallery.quality[:, 0] > 0)
            if not queries.any() or not candidates.any():
                continue
            cosines = pool.clean[queries] @ gallery.clean[candidates].T
            nearest = gallery.labels[candidates][np.argsort(-cosines, axis=1)[:, :5]]
            hit = nearest == pool.labels[queries, None]
            table.append(
                {
                    "from": name,
                    "to": other,
                    "n": int(queries.sum()),
                    "r1": round(float(hit[:, 0].mean()), 4),
                    "r5": round(float(hit.any(axis=1).mean()), 4),
                }
            )
    return table


def space_map(
    pools: Mapping[str, Pool], labels: tuple[str, ...], per_modality: int = 80, seed: int = 0
) -> list[dict[str, Any]]:
    """Positions of some recordings of each modality on a plane, by t-SNE.

    t-SNE: van der Maaten and Hinton, Visualizing Data using t-SNE, JMLR 2008.

    Returns:
        A row of modality, label, x and y per recording; none if there are too few recordings or if
        scikit-learn is not installed.
    """
    rng = np.random.default_rng(seed)
    names, classes, vectors = [], [], []
    for modality, pool in pools.items():
        usable = np.flatnonzero((pool.labels != NO_LABEL) & (pool.quality[:, 0] > 0))
        for row in rng.permutation(usable)[:per_modality]:
            names.append(modality)
            classes.append(labels[pool.labels[row]])
            vectors.append(pool.clean[row])
    if len(vectors) < _FEWEST:
        return []
    try:
        from sklearn.manifold import TSNE
    except ModuleNotFoundError:
        _log.warning("no map of the space: scikit-learn is not installed (pip install scikit-learn)")
        return []
    perplexity = min(_PERPLEXITY, (len(vectors) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", learning_rate="auto", random_state=seed)
    plane = tsne.fit_transform(np.stack(vectors))
    return [
        {"modality": m, "label": label, "x": round(float(x), 3), "y": round(float(y), 3)}
        for m, label, (x, y) in zip(names, classes, plane, strict=True)
    ]
