"""Fusion rules are compared on the same sets; the tables count what was compared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_pools import CENTRES, NAMES, K, by_evidence, pool, pools

from omnibind_ros.host.evaluation import comparison, comparison_tables
from omnibind_ros.host.evaluation.comparison import ADAPTIVE, compare
from omnibind_ros.host.evaluation.rules import best_single, static_rules


@pytest.fixture(scope="module")
def outcomes():
    made = pools()
    return compare(
        made, made, by_evidence, static_rules(CENTRES), clean_per_class=10, bad_per_class=5, seed=0
    )


def test_every_subset_is_judged_under_every_condition(outcomes):
    table = comparison_tables.subset_table(outcomes)
    assert len(table) == 2 ** len(NAMES) - 1
    for row in table:
        several = len(row["modalities"]) > 1
        assert row["clean"]["n"] == row["n"] > 0
        assert bool(row["corrupted"]["n"]) == several
        assert bool(row["stuck"]["n"]) == (len(row["modalities"]) >= comparison.LEAST_FOR_STUCK)
        assert row["accuracy"] == row["clean"]["accuracy"][ADAPTIVE]
        assert sum(kind["n"] for kind in row["kinds"].values()) == row["corrupted"]["n"]


def test_tables_say_whether_sets_are_true_pairs(outcomes):
    assert not any(row["pairs"] for row in comparison_tables.subset_table(outcomes))
    made = {name: pool(n, 30, moments=True) for n, name in enumerate(NAMES)}
    made["touch"] = replace(made["touch"], pairs=np.full(30, ""))
    rules = static_rules(CENTRES)
    found = compare(made, made, by_evidence, rules, clean_per_class=99, bad_per_class=3, seed=0)
    rows = {tuple(row["modalities"]): row for row in comparison_tables.subset_table(found)}
    assert rows["image", "audio"]["pairs"] and not rows["image", "audio", "touch"]["pairs"]
    assert rows["image", "audio"]["n"] == 30
    assert rows["image", "audio"]["kinds"].keys() == {
        f"{m}/kind {n}" for m in ("image", "audio") for n in (1, 2, 3, 4)
    }


def test_of_true_pairs_moments_are_resampled_as_a_whole():
    made = {name: pool(n, 60, moments=True) for n, name in enumerate(NAMES[:2])}
    for one in made.values():  # adaptive fusion is right of these moments, no other rule is
        one.embeddings[:30, 0] = -CENTRES[one.labels[:30]]

    def fuse(sets):
        return np.eye(K)[sets.labels], sets.mask

    found = compare(made, made, fuse, static_rules(CENTRES), clean_per_class=99, bad_per_class=1, seed=0)
    both = comparison_tables.size_table([o for o in found if len(o.subset) == 2], seed=0, replicates=2000)[0]
    assert both["gap"] == pytest.approx(0.5, abs=0.02)
    half = 1.96 * np.sqrt(0.5 * 0.5 / 60)  # of a mean of 60 independent moments
    assert both["gap_95"][1] - both["gap_95"][0] == pytest.approx(2 * half, rel=0.15)


def test_all_rules_agree_on_a_single_sensor(outcomes):
    for row in comparison_tables.subset_table(outcomes):
        if len(row["modalities"]) == 1:
            assert len(set(row["clean"]["accuracy"].values())) == 1


def test_the_product_of_experts_is_the_mean(outcomes):
    for o in outcomes:
        np.testing.assert_array_equal(o.correct["mean of embeddings"], o.correct["product of experts"])


def test_the_cut_compares_with_the_best_rule_without_training(outcomes):
    rules = static_rules(CENTRES)
    found = comparison_tables.condition_table(outcomes, tuple(rules))["corrupted"]
    best = max(found["accuracy"][rule] for rule in rules)
    assert found["accuracy"][found["best_static"]] == best
    assert found["cut"] == pytest.approx(1 - (1 - found["accuracy"][ADAPTIVE]) / (1 - best), abs=1e-3)


def test_sets_that_fail_the_checks_are_not_counted_but_reported(outcomes):
    kinds = comparison_tables.kind_table(outcomes)
    assert {k["modality"] for k in kinds} == set(NAMES)
    assert all(0.05 < k["refused"] < 0.4 for k in kinds)
    assert all(sum(s["n"] for s in k["by_strength"]) == k["n"] for k in kinds)


def test_the_weight_falls_with_the_strength(outcomes):
    for kind in comparison_tables.kind_table(outcomes):
        share = [step["share"] for step in kind["by_strength"]]
        assert share[-1] < share[0]


def test_the_interval_of_a_difference_holds_the_difference(outcomes):
    for row in comparison_tables.size_table(outcomes, seed=0, replicates=60):
        low, high = row["gap_95"]
        assert low - 1e-9 <= row["gap"] <= high + 1e-9


def test_the_best_live_sensor_gives_the_answer():
    made = pools()
    rule = best_single(CENTRES, {0: 0.9, 1: 0.99, 2: 0.5})
    from omnibind_ros.host.evaluation.sensor_sets import draw_subset

    sets = draw_subset(made, NAMES, 2, np.random.default_rng(0)).clean()
    np.testing.assert_allclose(rule(sets), sets.embeddings[:, 1] @ CENTRES.T, atol=1e-6)
    sets.mask[:, 1] = 0
    np.testing.assert_allclose(rule(sets), sets.embeddings[:, 0] @ CENTRES.T, atol=1e-6)
