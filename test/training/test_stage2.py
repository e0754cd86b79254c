"""Stage 2 on synthetic sensors: a corrupted one is believed less than by the mean."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from omnibind_ros.training.episodes import Pool, draw_episodes  # noqa: E402
from omnibind_ros.training.stage2 import FusionPlan, calibrate, fuse, train_fusion  # noqa: E402

D, K, NAMES = 32, 6, ("image", "audio", "touch")


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


CENTRES = unit(np.random.default_rng(9).standard_normal((K, D)))


def pool(seed: int, count: int = 120, versions: int = 3) -> Pool:
    """Clean embeddings lie near their centre, corrupted ones near any, with less evidence."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, K, count)
    return Pool(
        unit(CENTRES[labels] + 0.12 * rng.standard_normal((count, D))),
        rng.normal(2.0, 0.2, count).astype(np.float32),
        unit(
            CENTRES[rng.integers(0, K, (count, versions))] + 0.1 * rng.standard_normal((count, versions, D))
        ),
        rng.normal(1.0, 0.2, (count, versions)).astype(np.float32),
        (rng.random((count, versions)) > 0.2).astype(np.float32),
        labels.astype(np.int64),
    )


@pytest.fixture(scope="module")
def trained():
    pools = {name: pool(seed) for seed, name in enumerate(NAMES)}
    return train_fusion(pools, NAMES, CENTRES, FusionPlan(episodes=3000, epochs=4), progress=False)


def test_episodes_hold_one_class_and_what_the_checks_refuse_is_masked():
    pools = {name: pool(seed) for seed, name in enumerate(NAMES)}
    episodes = draw_episodes(pools, 300, 5, np.random.default_rng(0), bad_share=1.0)
    assert (episodes.mask.sum(axis=1) >= 1).all()
    assert (episodes.mask.sum(axis=1) > 3).any()  # repeated modalities
    assert (episodes.modality == len(NAMES)).any()  # the generic token is trained, too
    good = (episodes.mask > 0) & ~episodes.bad
    cosines = episodes.embeddings @ CENTRES.T
    right = cosines.argmax(axis=2) == episodes.labels[:, None]
    assert right[good].mean() > 0.98
    assert right[episodes.bad & (episodes.mask > 0)].mean() < 0.4
    assert (
        not episodes.embeddings[episodes.quality == 0].any()
        or (episodes.mask[episodes.quality == 0] == 0).all()
    )


def test_it_beats_the_mean_when_a_sensor_is_corrupted_and_keeps_the_clean(trained):
    fresh = {name: pool(seed + 50) for seed, name in enumerate(NAMES)}
    for bad_share in (0.0, 1.0):
        episodes = draw_episodes(
            fresh, 800, 3, np.random.default_rng(3), bad_share=bad_share, generic_share=0, repeat_share=0
        )
        fused, weights = fuse(trained, episodes, [0, 1, 2, 3], CENTRES)
        mean = (episodes.embeddings * episodes.mask[..., None]).sum(axis=1)
        by_fusion, by_mean = ((x @ CENTRES.T).argmax(axis=1) == episodes.labels for x in (fused, mean))
        if bad_share:
            assert by_fusion.mean() > by_mean.mean() + 0.05
            corrupted = episodes.bad & (episodes.mask > 0)
            assert weights[corrupted].mean() < 0.5 * weights[(episodes.mask > 0) & ~episodes.bad].mean()
        else:
            assert by_fusion.mean() >= by_mean.mean() - 0.002


def test_calibration_is_surer_the_more_sensors_agree_and_refuses_what_is_none_of_them(trained):
    fresh = {name: pool(seed + 80) for seed, name in enumerate(NAMES)}
    outside = np.random.default_rng(5).standard_normal((60, D))
    outside -= outside @ np.linalg.pinv(CENTRES) @ CENTRES
    calibration = calibrate(trained, fresh, unit(outside), NAMES, CENTRES, count=1500)
    assert len(calibration.scale_by_count) == 3
    assert all(scale > 0 for scale in calibration.scale_by_count)
    known = calibration.probabilities(fresh["image"].clean @ CENTRES.T, 1).max(axis=1)
    assert (known >= calibration.unknown_threshold).mean() > 0.9
    unknown = calibration.probabilities(unit(outside) @ CENTRES.T, 1).max(axis=1)
    assert (unknown < calibration.unknown_threshold).mean() > 0.9
