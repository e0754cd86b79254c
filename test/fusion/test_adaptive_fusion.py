"""Adaptive fusion: what reaches the model, and what is made of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from fusion_samples import SPACE, START, embedding, seconds, unit
from numpy.typing import NDArray
from reference_fusion import FusionParameters, ReferenceFusion

from omnibind_ros.errors import BundleError
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion

MODALITIES = ("image", "audio", "touch")
CENTRES = np.stack([unit(seed) for seed in range(10)])


class Recorder:
    """An engine that keeps a copy of what it is given and answers with the oracle."""

    def __init__(self, spread: float = 0.3) -> None:
        self._fusion = ReferenceFusion(FusionParameters.initial(len(MODALITIES), spread=spread))
        self.inputs: dict[str, NDArray[Any]] = {}
        self.buffers: set[int] = set()

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        self.inputs = {name: array.copy() for name, array in inputs.items()}
        self.buffers.add(inputs["embeddings"].ctypes.data)
        return self._fusion(inputs)


@pytest.fixture
def engine() -> Recorder:
    return Recorder()


@pytest.fixture
def fusion(engine: Recorder) -> AdaptiveFusion:
    return AdaptiveFusion(engine, MODALITIES, 4, CENTRES)


def test_the_model_gets_fixed_shapes_and_clean_unused_rows(fusion: AdaptiveFusion, engine: Recorder) -> None:
    fusion.fuse([embedding(name, evidence=3.0) for name in "abcd"])
    live = [
        embedding("mic", START, "audio", quality=0.5, evidence=2.0),
        embedding("radar", START, "radar", quality=0.25, evidence=1.0),
    ]
    fusion.fuse(live)
    got = engine.inputs
    assert {name: (a.shape, a.dtype.name) for name, a in got.items()} == {
        "embeddings": ((4, SPACE.dim), "float32"),
        "evidence": ((4,), "float32"),
        "quality": ((4,), "float32"),
        "modality": ((4,), "int64"),
        "mask": ((4,), "float32"),
        "centres": ((10, SPACE.dim), "float32"),
    }
    assert np.array_equal(got["embeddings"][:2], np.stack([e.vector for e in live]))
    assert not got["embeddings"][2:].any()
    assert got["evidence"].tolist() == [2.0, 1.0, 0.0, 0.0]
    assert got["quality"].tolist() == [0.5, 0.25, 0.0, 0.0]
    assert got["modality"].tolist() == [1, len(MODALITIES), 0, 0], "an unseen modality is the generic one"
    assert got["mask"].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert np.array_equal(got["centres"], CENTRES)
    assert len(engine.buffers) == 1, "the buffers are reused"


def test_one_sensor_in_is_exactly_that_embedding_out(fusion: AdaptiveFusion) -> None:
    one = embedding(quality=0.1, evidence=-3)
    fused = fusion.fuse([one])
    assert np.array_equal(fused.vector, one.vector)
    assert fused.weights.tolist() == [1.0]


def test_the_formula_agrees_that_one_sensor_is_that_embedding(engine: Recorder) -> None:
    one = embedding()
    inputs: dict[str, NDArray[Any]] = {
        "embeddings": np.stack([one.vector, np.zeros_like(one.vector)]),
        "evidence": np.array([2.5, 0], np.float32),
        "quality": np.array([1, 0], np.float32),
        "modality": np.array([0, 0]),
        "mask": np.array([1, 0], np.float32),
        "centres": CENTRES,
    }
    outputs = engine(inputs)
    assert np.allclose(outputs["fused"], one.vector, atol=1e-6)
    assert outputs["weights"].tolist() == [1.0, 0.0]


def test_the_answer_is_a_unit_vector_and_shares(fusion: AdaptiveFusion) -> None:
    fused = fusion.fuse([embedding(name) for name in "abc"])
    assert np.linalg.norm(fused.vector) == pytest.approx(1, abs=1e-6)
    assert fused.vector.dtype == np.float32
    assert fused.weights.shape == (3,)
    assert fused.weights.sum() == pytest.approx(1, abs=1e-6)


def test_an_answer_survives_the_next(fusion: AdaptiveFusion) -> None:
    first = fusion.fuse([embedding(name) for name in "ab"])
    vector, weights = first.vector.copy(), first.weights.copy()
    fusion.fuse([embedding(name) for name in "cd"])
    assert np.array_equal(first.vector, vector)
    assert np.array_equal(first.weights, weights)


def test_order_of_sensors_does_not_matter(fusion: AdaptiveFusion) -> None:
    live = [
        embedding("cam", modality="image", evidence=3),
        embedding("mic", modality="audio", evidence=1),
        embedding("x", modality="radar", quality=0.3),
    ]
    straight, reverse = fusion.fuse(live), fusion.fuse(live[::-1])
    assert np.allclose(straight.vector, reverse.vector, atol=1e-6)
    assert np.allclose(straight.weights, reverse.weights[::-1], atol=1e-6)


def test_sensors_that_agree_outweigh_one_that_contradicts() -> None:
    """At the start of training already, two that agree outweigh one that contradicts."""
    fusion = AdaptiveFusion(Recorder(spread=0.0), MODALITIES, 4, CENTRES)
    fused = fusion.fuse([embedding(name, vector=CENTRES[k]) for name, k in (("a", 3), ("b", 3), ("c", 7))])
    assert fused.weights[0] == pytest.approx(fused.weights[1])
    assert fused.weights[2] < 0.5 * fused.weights[0]
    assert (CENTRES @ fused.vector).argmax() == 3


def test_of_too_many_the_best_by_quality_and_age_are_kept(fusion: AdaptiveFusion, engine: Recorder) -> None:
    live = [
        embedding("a", START, quality=0.9),
        embedding("b", START, quality=0.2),
        embedding("c", START - seconds(60), quality=1.0),
        embedding("d", START, quality=0.8),
        embedding("e", START - seconds(0.1), quality=1.0),
        embedding("f", START, quality=0.7),
    ]
    fused = fusion.fuse(live)
    assert fused.left_out == ("b", "c")
    assert fused.weights[1] == fused.weights[2] == 0
    assert (fused.weights[[0, 3, 4, 5]] > 0).all()
    assert fused.weights.sum() == pytest.approx(1, abs=1e-6)
    assert np.array_equal(engine.inputs["embeddings"], np.stack([live[k].vector for k in (0, 3, 4, 5)]))


def test_a_foreign_evidence_or_quality_cannot_overflow_the_model(
    fusion: AdaptiveFusion, engine: Recorder
) -> None:
    fused = fusion.fuse(
        [embedding("a", evidence=1e30, quality=7), embedding("b", evidence=-1e30, quality=-1)]
    )
    assert engine.inputs["evidence"].tolist() == [10, -10, 0, 0]
    assert engine.inputs["quality"].tolist() == [1, 0, 0, 0]
    assert np.isfinite(fused.vector).all()


def test_embeddings_that_cancel_out_leave_the_heaviest() -> None:
    vector = unit(5)
    live = [embedding("a", vector=vector), embedding("b", vector=-vector)]

    def run(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        weights = inputs["quality"] * inputs["mask"] / 2
        return {"fused": weights @ inputs["embeddings"], "weights": weights}

    assert np.array_equal(AdaptiveFusion(run, MODALITIES, 4, CENTRES).fuse(live).vector, vector)


def test_a_model_that_answers_nonsense_still_gives_a_unit_vector() -> None:
    def run(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        return {"fused": np.full(SPACE.dim, np.nan, np.float32), "weights": np.full(4, np.nan, np.float32)}

    fused = AdaptiveFusion(run, MODALITIES, 4, CENTRES).fuse([embedding("a"), embedding("b")])
    assert np.linalg.norm(fused.vector) == pytest.approx(1, abs=1e-5)
    assert fused.weights.tolist() == [0.5, 0.5]


def test_a_model_that_fits_nothing_is_refused(engine: Recorder) -> None:
    with pytest.raises(BundleError, match="max_sensors"):
        AdaptiveFusion(engine, MODALITIES, 0, CENTRES)
    with pytest.raises(BundleError, match="shape"):
        AdaptiveFusion(engine, MODALITIES, 4, CENTRES[0])
