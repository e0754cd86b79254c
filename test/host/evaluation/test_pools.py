"""Pools: which recordings are picked, and their corrupted versions."""

from __future__ import annotations

import numpy as np

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.evaluation.pools import NO_LABEL, make_pool, pick
from omnibind_ros.modalities.registry import make_preprocessor


def recordings(modality: str, names: list[str], paired: bool) -> list[Recording]:
    def load() -> np.ndarray:
        return np.random.default_rng(0).normal(size=(150, 6)).astype(np.float32)

    return [
        Recording(modality, "made", f"{modality} {n}", f"label {n[-1]}", "", load, pair=n if paired else "")
        for n in names
    ]


def test_every_modality_picks_the_same_moments():
    names = [f"take {n} of {n % 3}" for n in range(60)]
    imu, camera = (pick(recordings(m, own, True), 15, 0) for m, own in (("imu", names), ("cam", names[::-1])))
    assert {r.pair for r in imu} == {r.pair for r in camera}
    assert [r.pair for r in imu] != [r.pair for r in pick(recordings("imu", names, True), 15, 1)]
    labels = [r.label for r in imu]
    assert [labels.count(f"label {k}") for k in range(3)] == [5, 5, 5]


def test_without_pairs_picks_are_spread_over_classes():
    names = [f"{n} of {0 if n < 50 else 1}" for n in range(60)]
    labels = [r.label for r in pick(recordings("imu", names, False), 16, 0)]
    assert labels.count("label 0") == labels.count("label 1") == 8


def test_a_custom_modality_has_the_corruptions_of_its_built_in_one():
    adaptor = make_preprocessor("imu", {"adaptor": "series"})

    def embed(inputs):
        return np.ones((len(inputs), 4), np.float32), np.zeros(len(inputs), np.float32)

    made = make_pool(
        embed, adaptor, recordings("imu", ["a 0", "b 1"], True), ["label 0", "label 1"], versions=8
    )
    assert made.kinds == ("noisy_series", "dead_channels", "held_series", "drifting_series")
    assert set(made.kind[0]) == {0, 1, 2, 3, 4}
    assert made.pairs.tolist() == ["a 0", "b 1"]
    some = made.rows(np.array([False, True]))
    assert some.pairs.tolist() == ["b 1"] and some.kinds == made.kinds
    assert some.embeddings.shape == (1, 9, 4) and some.labels.tolist() == [1]
    assert NO_LABEL not in made.labels
