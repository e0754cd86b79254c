"""Sets of sensors are of one class, and what is bad about them is what was asked for."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from made_pools import CENTRES, NAMES, K, pool, pools

from omnibind_ros.training.episodes import draw_episodes, draw_subset, join


def shown(episodes):
    """The class each embedding is nearest to, [B, N]."""
    return (episodes.embeddings @ CENTRES.T).argmax(axis=2)


def test_episodes_hold_one_class_and_what_the_checks_refuse_is_masked():
    episodes = draw_episodes(pools(), 300, 5, np.random.default_rng(0), bad_share=1.0)
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
    episodes = draw_episodes(made, 40, most, np.random.default_rng(seed), bad_share=bad, generic_share=0)
    drawn = (episodes.quality > 0) | episodes.bad | (episodes.evidence != 0) | (episodes.strength > 0)
    sizes, wrong = drawn.sum(axis=1), episodes.bad.sum(axis=1)
    assert (sizes >= 1).all()
    assert (wrong <= np.maximum(sizes // 2, 0)).all()


def test_the_same_seed_gives_the_same_sets():
    first, second = (draw_episodes(pools(), 50, 4, np.random.default_rng(5)) for _ in range(2))
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


def test_joined_sets_are_all_there():
    draw = draw_subset({"image": pool(0)}, ("image",), 3, np.random.default_rng(0))
    assert len(join([draw.clean(), draw.clean()])) == 2 * len(draw.labels)
