"""Simulated recordings."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from omnibind_ros.host.data.recipe import Recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.scene import simulator
from omnibind_ros.modalities.definition import Simulate


def simulated_recordings(recipe: Recipe, modality: str, seed: int = 0) -> list[Recording]:
    """`recipe.simulated[modality]` simulated recordings per label; the same seed gives the same."""
    count = recipe.simulated.get(modality, 0)
    if not count:
        return []
    simulate = simulator(modality)
    return [
        Recording(
            modality,
            "simulated",
            f"simulated/{modality}/{label}/{seed}.{i}",
            label,
            "simulated",
            partial(_draw, simulate, int(label), (seed, int(label), i)),
        )
        for label in recipe.labels
        for i in range(count)
    ]


def _draw(simulate: Simulate, label: int, seed: tuple[int, ...]) -> Any:
    return simulate(label, np.random.default_rng(seed))
