"""Augmented and corrupted samples stay what they are: valid raw samples of their modality."""

from __future__ import annotations

import numpy as np
import pytest

from omnibind_ros.data.augment import AUGMENTATIONS
from omnibind_ros.data.corrupt import CORRUPTIONS, Corrupt
from omnibind_ros.sensors.adaptor import make_adaptor
from omnibind_ros.simulation.scene import Scene

EVERY_CORRUPTION = [(m, c) for m, corruptions in CORRUPTIONS.items() for c in corruptions]


@pytest.mark.parametrize("modality", AUGMENTATIONS)
def test_augmented_samples_differ_and_are_still_good(modality):
    adaptor, raw = make_adaptor(modality), Scene(6, seed=2).sample(modality)
    rng = np.random.default_rng(0)
    inputs = [adaptor.prepare(raw)]
    for _ in range(10):
        changed = AUGMENTATIONS[modality](raw, rng)
        assert adaptor.check(changed).quality > 0
        inputs.append(adaptor.prepare(changed))
        assert np.isfinite(inputs[-1]).all()
    assert len({x.tobytes() for x in inputs}) == 11


@pytest.mark.parametrize(
    "modality,corrupt", EVERY_CORRUPTION, ids=lambda value: getattr(value, "__name__", value)
)
def test_the_stronger_the_further_from_the_truth(modality: str, corrupt: Corrupt):
    adaptor = make_adaptor(modality)
    distance = {}
    for strength in (0.05, 1.0):
        off = []
        for seed in range(6):
            raw = Scene(6, seed=seed).sample(modality)
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
