"""Fusion trained on synthetic sensors: a corrupted one gets less weight than in the mean."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from made_pools import CENTRES, NAMES, D, pool, pools, unit  # noqa: E402

from omnibind_ros.bundle.temperature_scaling import sample_probabilities  # noqa: E402
from omnibind_ros.host.evaluation.sensor_sets import draw_sets  # noqa: E402
from omnibind_ros.host.training.fusion import FusionPlan, fit_temperature_scaling, fuse, train_fusion  # noqa: E402


@pytest.fixture(scope="module")
def trained():
    return train_fusion(pools(), NAMES, CENTRES, FusionPlan(sets=3000, epochs=4), progress=False)


def test_it_beats_the_mean_when_a_sensor_is_corrupted_and_keeps_the_clean(trained):
    fresh = pools(50)
    for bad_share in (0.0, 1.0):
        episodes = draw_sets(
            fresh,
            800,
            3,
            np.random.default_rng(3),
            bad_share=bad_share,
            stuck_share=0,
            generic_share=0,
            repeat_share=0,
        )
        fused, weights = fuse(trained, episodes, [0, 1, 2, 3], CENTRES)
        mean = (episodes.embeddings * episodes.mask[..., None]).sum(axis=1)
        by_fusion, by_mean = ((x @ CENTRES.T).argmax(axis=1) == episodes.labels for x in (fused, mean))
        if bad_share:
            assert 1 - by_fusion.mean() < 0.6 * (1 - by_mean.mean())
            badly = episodes.bad & (episodes.mask > 0) & (episodes.strength > 0.7)
            assert weights[badly].mean() < 0.5 * weights[(episodes.mask > 0) & ~episodes.bad].mean()
        else:
            assert by_fusion.mean() >= by_mean.mean() - 0.002


def test_an_unknown_modality_is_fused_through_the_generic_token():
    rest = {name: pool(n) for n, name in enumerate(NAMES[:2])}
    model = train_fusion(rest, NAMES[:2], CENTRES, FusionPlan(sets=3000, epochs=4), progress=False)
    sets = draw_sets(
        pools(50),
        800,
        3,
        np.random.default_rng(3),
        bad_share=1.0,
        stuck_share=0,
        generic_share=0,
        repeat_share=0,
    )
    fused, _ = fuse(model, sets, [0, 1, 2, 2], CENTRES)
    mean = (sets.embeddings * sets.mask[..., None]).sum(axis=1)
    by_fusion, by_mean = ((x @ CENTRES.T).argmax(axis=1) == sets.labels for x in (fused, mean))
    assert 1 - by_fusion.mean() < 0.6 * (1 - by_mean.mean())


def test_samples_of_none_of_the_classes_fall_below_the_fitted_threshold(trained):
    fresh = pools(80)
    outside = np.random.default_rng(5).standard_normal((60, D))
    outside -= outside @ np.linalg.pinv(CENTRES) @ CENTRES
    negatives = unit(outside), np.full(60, 2.0, np.float32)
    calibration = fit_temperature_scaling(trained, fresh, negatives, NAMES, CENTRES, count=1500)
    assert len(calibration.scale_by_count) == 3
    assert all(scale > 0 for scale in calibration.scale_by_count)
    known = sample_probabilities(fresh["image"].clean @ CENTRES.T, fresh["image"].evidence[:, 0]).max(axis=1)
    assert (known >= calibration.unknown_threshold).mean() > 0.9
    unknown = sample_probabilities(negatives[0] @ CENTRES.T, negatives[1]).max(axis=1)
    assert (unknown < calibration.unknown_threshold).mean() > 0.9
