"""Retrieval and the map reflect which recordings show the same class."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from made_pools import K, pool, pools

from omnibind_ros.host.evaluation.space_map import retrieval, space_map

LABELS = tuple("abcdef"[:K])


def test_retrieval_finds_its_class():
    table = retrieval({"image": pool(0), "audio": pool(1)})
    assert {(r["from"], r["to"]) for r in table} == {("image", "audio"), ("audio", "image")}
    assert all(r["r5"] >= r["r1"] > 0.95 for r in table)


def test_a_map_keeps_classes_together_whatever_the_modality():
    pytest.importorskip("sklearn")
    points = space_map(pools(), LABELS, per_modality=30)
    assert {p["modality"] for p in points} == set(pools()) and len(points) == 90
    plane = np.array([(p["x"], p["y"]) for p in points])
    labels = np.array([p["label"] for p in points])
    distances = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(axis=1)] == labels).mean() > 0.95
    assert space_map(pools(), LABELS, per_modality=30) == points


def test_there_is_no_map_of_a_handful_of_recordings_or_without_scikit_learn(monkeypatch, caplog):
    assert space_map(pools(), LABELS, per_modality=3) == []
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    assert space_map(pools(), LABELS, per_modality=30) == []
    assert "pip install scikit-learn" in caplog.text
