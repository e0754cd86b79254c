"""A few recordings of each class, the others without their labels: how little must somebody record?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.training.samples import Samples


def draw_few(samples: Samples, per_class: int, seed: int) -> NDArray[np.intp]:
    """Rows of `per_class` samples of each class (and as many negatives), from as many groups as possible.

    The same seed draws the same rows; of a class with fewer samples all are drawn.
    """
    rng = np.random.default_rng(seed)
    labels = samples.labels.numpy()
    drawn = []
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        # The n-th sample of each group comes before anybody's (n+1)-th.
        turn = np.zeros(len(rows), np.int64)
        for group in np.unique(samples.groups[rows]):
            of_group = samples.groups[rows] == group
            turn[of_group] = np.arange(of_group.sum())
        drawn.append(rows[np.argsort(turn, kind="stable")[:per_class]])
    return np.sort(np.concatenate(drawn))
