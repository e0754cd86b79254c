"""Augmented and corrupted samples stay what they are: valid raw samples of their modality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from omnibind_ros.host.data.scene import Scene
from omnibind_ros.modalities.definition import Corrupt
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.registry import definition, having, make_preprocessor

SERIES = {"channels": 6, "rate": 50, "window_s": 2.0}


def sample(modality: str, seed: int) -> Any:
    """A simulated sample; of a time series, some movement."""
    if modality != "series":
        return Scene(6, seed=seed).sample(modality)
    rng = np.random.default_rng(seed)
    phase = np.arange(110)[:, None] / 50 * rng.uniform(4, 9, 6) + rng.uniform(0, 6, 6)
    return (np.sin(phase) * rng.uniform(0.5, 2, 6)).astype(np.float32)


def adaptor_of(modality: str) -> Preprocessor:
    return make_preprocessor(modality, SERIES if modality == "series" else {})


EVERY_CORRUPTION = [
    (modality, corrupt)
    for modality in having("corruptions")
    for corrupt in definition(modality).corruptions.load()
]


@pytest.mark.parametrize("modality", having("augment"))
def test_augmented_samples_differ_and_are_still_good(modality):
    adaptor, raw = adaptor_of(modality), sample(modality, seed=2)
    augment, rng = definition(modality).augment.load(), np.random.default_rng(0)
    inputs = [adaptor.prepare(raw)]
    for _ in range(10):
        changed = augment(raw, rng)
        assert adaptor.check(changed).quality > 0
        inputs.append(adaptor.prepare(changed))
        assert np.isfinite(inputs[-1]).all()
    assert len({x.tobytes() for x in inputs}) == 11


@pytest.mark.parametrize(
    "modality,corrupt", EVERY_CORRUPTION, ids=lambda value: getattr(value, "__name__", value)
)
def test_the_stronger_the_further_from_the_truth(modality: str, corrupt: Corrupt):
    adaptor = adaptor_of(modality)
    distance = {}
    for strength in (0.05, 1.0):
        off = []
        for seed in range(6):
            raw = sample(modality, seed)
            bad = corrupt(raw, strength, np.random.default_rng(seed))
            quality = adaptor.check(bad).quality
            assert 0 <= quality <= 1
            if quality > 0:
                prepared = adaptor.prepare(bad)
                assert np.isfinite(prepared).all()
                off.append(np.abs(prepared - adaptor.prepare(raw)).mean())
            else:
                off.append(np.inf)
        distance[strength] = np.mean(off)
    assert distance[1.0] > 1.2 * distance[0.05]
