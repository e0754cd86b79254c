"""Sensor sets are of one class, with the requested share of bad sensors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pools import CENTRES, NAMES, K, pool, pools

from omnibind_ros.host.evaluation.pools import NO_LABEL, halves
from omnibind_ros.host.evaluation.sensor_sets import draw_sets, draw_subset


def shown(episodes):
    """The class each embedding is nearest to, [B, N]."""
    return (episodes.embeddings @ CENTRES.T).argmax(axis=2)


def test_sets_have_one_class_and_what_fails_the_checks_is_masked():
    episodes = draw_sets(pools(), 300, 5, np.random.default_rng(0), bad_share=1.0)
    assert (episodes.mask.sum(axis=1) > 3).any()  # repeated modalities
    assert (episodes.modality == len(NAMES)).any()  # the generic token is trained, too
    good = (episodes.mask > 0) & ~episodes.bad
    right = shown(episodes) == episodes.labels[:, None]
    assert right[good].mean() > 0.98
    assert right[episodes.bad & (episodes.strength > 0.7)].mean() < 0.5
    assert (episodes.mask[episodes.quality == 0] == 0).all()
    assert not episodes.embeddings[episodes.mask == 0].any()


@given(most=st.integers(1, 9), seed=st.integers(0, 1000), bad=st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_at_most_half_are_bad_and_a_single_one_never(most, seed, bad):
    made = pools()
    episodes = draw_sets(made, 40, most, np.random.default_rng(seed), bad_share=bad, generic_share=0)
    drawn = (episodes.quality > 0) | episodes.bad | (episodes.evidence != 0) | (episodes.strength > 0)
    sizes, wrong = drawn.sum(axis=1), episodes.bad.sum(axis=1)
    assert (sizes >= 1).all()
    assert (wrong <= np.maximum(sizes // 2, 0)).all()


def test_the_same_seed_gives_the_same_sets():
    first, second = (draw_sets(pools(), 50, 4, np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.embeddings, second.embeddings)
    np.testing.assert_array_equal(first.modality, second.modality)


def test_a_subset_is_the_same_sets_under_every_condition():
    draw = draw_subset(pools(), ("audio", "touch"), 5, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    clean, corrupted, stuck = draw.clean(), draw.corrupted(1, 2, rng), draw.stuck(0, rng)
    assert len(clean) == 5 * K
    np.testing.assert_array_equal(np.unique(clean.labels, return_counts=True)[1], 5)
    assert clean.modality.tolist()[0] == [1, 2]
    np.testing.assert_array_equal(clean.embeddings[:, 0], corrupted.embeddings[:, 0])
    np.testing.assert_array_equal(clean.embeddings[:, 1], stuck.embeddings[:, 1])
    assert not clean.bad.any()
    assert corrupted.bad[:, 1].all() and not corrupted.bad[:, 0].any()
    assert (corrupted.strength[:, 1] > 0).all()
    assert (shown(stuck)[:, 0] != stuck.labels).mean() > 0.95


def test_a_class_that_one_modality_lacks_is_left_out():
    made = pools()
    made["audio"] = made["audio"].rows(made["audio"].labels != 3)
    draw = draw_subset(made, ("image", "audio"), 4, np.random.default_rng(0))
    assert 3 not in draw.labels
    made["audio"] = made["audio"].rows(np.zeros(len(made["audio"].labels), bool))
    assert draw_subset(made, ("image", "audio"), 4, np.random.default_rng(0)) is None


def numbered(moments: bool, count: int = 24) -> dict:
    """Pools whose evidence tells which recording a sensor shows: row n of each, in another order each."""
    made = {}
    for seed, name in enumerate(NAMES):
        one = pool(seed, count, refused=0.0, moments=moments)
        number = np.repeat(np.arange(count, dtype=np.float32)[:, None], one.kind.shape[1], axis=1)
        made[name] = replace(one, evidence=number).rows(np.random.default_rng(seed).permutation(count))
    return made


def test_sets_without_true_pairs_are_reproducible():
    draw = draw_subset(pools(), ("audio", "touch"), 2, np.random.default_rng(0))
    assert draw.rows.tolist() == [
        *([97, 59], [63, 23], [29, 3], [8, 1], [26, 80], [88, 109]),
        *([69, 113], [81, 90], [86, 65], [74, 115], [32, 63], [113, 0]),
    ]
    assert draw.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert not (draw.moments != "").any()
    episodes = draw_sets(pools(), 4, 3, np.random.default_rng(0))
    np.testing.assert_allclose(
        episodes.evidence, [[2.688, 1.599, 2.597], [2.680, 0, 0], [2.694, 0, 0], [2.666, 0, 0]], atol=1e-3
    )


def test_where_there_are_true_pairs_a_set_is_one_of_them():
    made = numbered(moments=True)
    draw = draw_subset(made, NAMES, 3, np.random.default_rng(0))
    sets = draw.clean()
    assert len(sets) == 3 * K
    np.testing.assert_array_equal(sets.evidence, np.repeat(sets.evidence[:, :1], 3, axis=1))
    assert draw.moments.tolist() == [f"take {n:.0f}" for n in sets.evidence[:, 0]]
    assert draw.labels.tolist() == [n % K for n in sets.evidence[:, 0]]


def test_every_moment_is_shown_once_before_any_is_missed():
    draw = draw_subset(numbered(moments=True), ("image", "touch"), 1000, np.random.default_rng(0))
    assert sorted(draw.moments) == sorted(f"take {n}" for n in range(24))


def test_moments_without_a_recording_of_each_sensor_are_not_used_and_sets_are_combined_by_class():
    made = numbered(moments=True)
    made["touch"] = made["touch"].rows(made["touch"].evidence[:, 0] >= 12)
    made["audio"].quality[made["audio"].evidence == 23] = 0  # refused by the signal checks
    draw = draw_subset(made, NAMES, 1000, np.random.default_rng(0))
    assert sorted(draw.moments) == sorted(f"take {n}" for n in range(12, 23))
    made["audio"] = made["audio"].rows(made["audio"].evidence[:, 0] < 12)
    draw = draw_subset(made, NAMES, 5, np.random.default_rng(0))
    assert len(draw.labels) == 5 * K and not (draw.moments != "").any()
    assert (draw.clean().evidence % K == draw.labels[:, None]).all()


def test_a_stuck_sensor_shows_another_class_and_a_corrupted_one_the_same_moment():
    draw = draw_subset(numbered(moments=True), NAMES, 4, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    clean, corrupted, stuck = draw.clean(), draw.corrupted(1, 2, rng), draw.stuck(1, rng)
    np.testing.assert_array_equal(corrupted.evidence, clean.evidence)
    assert corrupted.bad[:, 1].all() and (corrupted.strength[:, 1] > 0).all()
    assert (stuck.evidence[:, 1] % K != stuck.labels).all()
    np.testing.assert_array_equal(stuck.evidence[:, [0, 2]], clean.evidence[:, [0, 2]])


def test_sets_are_of_one_moment_except_for_stuck_sensors_and_second_ones_of_a_modality():
    episodes = draw_sets(
        numbered(moments=True),
        400,
        5,
        np.random.default_rng(0),
        generic_share=0,
        bad_share=0.7,
        stuck_share=0.5,
    )
    stuck = episodes.bad & (episodes.strength == 0)
    checked, others = 0, []
    for b in range(len(episodes)):
        shown: dict[int, float] = {}
        for m, number, live, is_stuck in zip(
            episodes.modality[b], episodes.evidence[b], episodes.mask[b], stuck[b], strict=True
        ):
            if not live:
                continue
            assert (number % K != episodes.labels[b]) == is_stuck
            if not is_stuck and m in shown:
                others.append(number != shown[m])
            elif not is_stuck:
                shown[m] = number
        assert len(set(shown.values())) == 1
        checked += len(shown) > 1
    assert checked > 100
    assert np.mean(others) > 0.5  # of four recordings of a class each


def test_halves_share_no_moment():
    made = numbered(moments=True)
    halved = halves(made)
    for one in halved:
        seen = [set(p.pairs) for p in one.values()]
        assert seen[0] == seen[1] == seen[2] and len(seen[0]) == 12
    assert not set(halved[0]["image"].pairs) & set(halved[1]["image"].pairs)
    without = pools()
    without["image"].labels[0] = NO_LABEL
    even, odd = halves(without)
    np.testing.assert_array_equal(even["image"].labels, without["image"].labels[2::2])
    np.testing.assert_array_equal(odd["image"].labels, without["image"].labels[1::2])
