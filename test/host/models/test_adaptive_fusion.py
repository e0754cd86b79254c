"""Adaptive fusion: the formula itself, and its properties on sets of sensors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from reference_fusion import FusionParameters, ReferenceFusion  # noqa: E402

from omnibind_ros.host.models.adaptive_fusion import AdaptiveFusionModel  # noqa: E402

K, D, M = 10, 24, 4


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).astype(np.float32)


def a_model(seed: int = 0) -> AdaptiveFusionModel:
    torch.manual_seed(seed)
    model = AdaptiveFusionModel(M)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return model.eval()


def a_set(n: int, size: int = 8, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    live = np.arange(size) < n
    return {
        "embeddings": unit(rng.standard_normal((size, D))) * live[:, None],
        "evidence": (rng.uniform(0, 3, size) * live).astype(np.float32),
        "quality": live.astype(np.float32),
        "modality": rng.integers(0, M + 1, size) * live,
        "mask": live.astype(np.float32),
        "centres": unit(rng.standard_normal((K, D))),
    }


def run(model: AdaptiveFusionModel, inputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    with torch.no_grad():
        fused, weights = model(**{name: torch.from_numpy(value) for name, value in inputs.items()})
    return fused.numpy(), weights.numpy()


def parameters_of(model: AdaptiveFusionModel) -> FusionParameters:
    return FusionParameters(
        model.log_sharpness.detach().double().numpy(), model.fault_logit.detach().double().numpy()
    )


@pytest.mark.parametrize("n", [1, 2, 5, 8])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_is_the_formula(n, seed):
    model, inputs = a_model(seed), a_set(n, seed=seed)
    fused, weights = run(model, inputs)
    expected = ReferenceFusion(parameters_of(model))(inputs)
    np.testing.assert_allclose(weights, expected["weights"], atol=1e-5)
    np.testing.assert_allclose(fused, expected["fused"], atol=1e-5)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_order_does_not_matter(seed, n):
    model, inputs = a_model(), a_set(n, seed=seed)
    order = np.random.default_rng(seed).permutation(8)
    shuffled = {name: value if name == "centres" else value[order] for name, value in inputs.items()}
    fused, weights = run(model, inputs)
    fused_too, weights_too = run(model, shuffled)
    np.testing.assert_allclose(fused, fused_too, atol=1e-5)
    np.testing.assert_allclose(weights[order], weights_too, atol=1e-5)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_weights_are_shares_of_the_live_sensors_and_the_answer_a_unit_vector(seed, n):
    inputs = a_set(n, seed=seed)
    fused, weights = run(a_model(), inputs)
    assert (weights >= 0).all()
    assert not weights[n:].any()
    assert weights.sum() == pytest.approx(1, abs=1e-4)
    assert np.linalg.norm(fused) == pytest.approx(1, abs=1e-4)


@given(seed=st.integers(0, 10**6), n=st.integers(1, 7), evidence=st.floats(-10, 10))
@settings(max_examples=30, deadline=None)
def test_what_is_not_live_does_not_matter(seed, n, evidence):
    inputs = a_set(n, seed=seed)
    fused, weights = run(a_model(), inputs)
    inputs["evidence"][n:], inputs["modality"][n:], inputs["quality"][n:] = evidence, 1, 1
    fused_too, weights_too = run(a_model(), inputs)
    np.testing.assert_allclose(fused, fused_too, atol=1e-6)
    np.testing.assert_allclose(weights, weights_too, atol=1e-6)


def test_one_sensor_is_left_as_it_is():
    inputs = a_set(1)
    fused, weights = run(a_model(), inputs)
    np.testing.assert_allclose(fused, inputs["embeddings"][0], atol=1e-6)
    assert weights[0] == pytest.approx(1.0)


def test_batches_are_fused_set_by_set():
    model, sets = a_model(), [a_set(n, seed=n) for n in (2, 3, 7)]
    batch = {name: np.stack([s[name] for s in sets]) for name in sets[0] if name != "centres"}
    fused, weights = run(model, {**batch, "centres": sets[0]["centres"]})
    for row, one in enumerate(sets):
        alone = run(model, {**one, "centres": sets[0]["centres"]})
        np.testing.assert_allclose(fused[row], alone[0], atol=1e-6)
        np.testing.assert_allclose(weights[row], alone[1], atol=1e-6)


def test_a_contradicting_sensor_gets_little_weight():
    model = AdaptiveFusionModel(M).eval()
    inputs = a_set(3)
    inputs["embeddings"][:3] = inputs["centres"][[4, 4, 7]]
    inputs["evidence"][:3] = 2.5
    _, weights = run(model, inputs)
    assert weights[2] < 0.05
    assert weights[0] == pytest.approx(weights[1])


def test_less_evidence_gives_less_weight():
    model, weight = AdaptiveFusionModel(M).eval(), []
    for evidence in (3.0, 2.0, 1.0, 0.0):
        inputs = a_set(3)
        inputs["embeddings"][:3] = inputs["centres"][[4, 4, 4]]
        inputs["evidence"][:3] = 2.5, 2.5, evidence
        weight.append(run(model, inputs)[1][2])
    assert weight == sorted(weight, reverse=True)
    assert weight[-1] < 0.2


def test_low_quality_weighs_less():
    inputs = a_set(2)
    inputs["embeddings"][:2] = inputs["centres"][[4, 4]]
    inputs["evidence"][:2] = 2.0
    inputs["modality"][:2] = 0
    inputs["quality"][1] = 0.25
    _, weights = run(AdaptiveFusionModel(M).eval(), inputs)
    assert weights[0] == pytest.approx(4 * weights[1], rel=1e-3)
