"""Learned fusion rules answer correctly after training."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from made_pools import CENTRES, pool  # noqa: E402

from omnibind_ros.host.evaluation.sensor_sets import draw_subset  # noqa: E402
from omnibind_ros.host.training.learned_rules import learn_rules  # noqa: E402


def test_every_learned_rule_learns():
    made = {"image": pool(0), "audio": pool(1)}
    fresh = {"image": pool(10), "audio": pool(11)}
    sets = draw_subset(fresh, ("image", "audio"), 20, np.random.default_rng(0)).clean()
    for name, rule in learn_rules(made, CENTRES).items():
        right = rule(sets).argmax(axis=1) == sets.labels
        assert right.mean() > 0.9, name
