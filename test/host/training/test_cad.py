"""Each term of CAD is least where its definition says, and zero without samples for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch.nn.functional as F  # noqa: E402
from torch import Tensor  # noqa: E402

from omnibind_ros.host.training import cad  # noqa: E402
from omnibind_ros.host.training.cad import TERMS, Batch, CadConfig, weighted_terms  # noqa: E402
from omnibind_ros.host.training.samples import NEGATIVE, UNLABELLED  # noqa: E402

K, D = 3, 16
CENTRES = torch.eye(K, D)


def batch(z: Tensor, labels: list[int], taught: Tensor | None = None, own: bool = False) -> Batch:
    rows = len(labels)
    return Batch(
        z,
        torch.tensor(labels),
        CENTRES,
        torch.zeros(rows, D) if taught is None else taught,
        torch.full((rows,), own),
        torch.zeros(0, D),
        torch.zeros(0, dtype=torch.int64),
    )


def axis(*which: int) -> Tensor:
    return torch.eye(D)[list(which)]


def test_text_and_closeness_pull_to_the_own_centre():
    right, wrong, nowhere = (batch(8 * axis(n), [1]) for n in (1, 2, 9))
    assert cad.text(right) < cad.text(nowhere) < cad.text(wrong)
    assert cad.closeness(right) == pytest.approx(0, abs=1e-6)
    assert cad.closeness(nowhere) == pytest.approx(1)


def test_text_is_infonce_over_the_centres():
    z = torch.randn(5, D, generator=torch.Generator().manual_seed(0))
    labels = [0, 1, 2, 1, 0]
    logits = (z @ CENTRES.T).double()
    expected = np.mean([-logits[i, y] + logits[i].logsumexp(0) for i, y in enumerate(labels)])
    assert cad.text(batch(z, labels)) == pytest.approx(float(expected), rel=1e-5)


def test_a_negative_is_pushed_from_every_centre():
    assert cad.negative(batch(8 * axis(1), [NEGATIVE])) > 1 > cad.negative(batch(8 * axis(9), [NEGATIVE]))
    assert cad.negative(batch(8 * axis(1), [1])) == 0


def test_image_pulls_to_pictures_of_the_class():
    pictures, labels = axis(5, 6, 7), torch.tensor([0, 1, 2])
    near, far = (replace(batch(axis(n), [1]), pictures=pictures, picture_labels=labels) for n in (6, 7))
    assert cad.image(near) < 0.01 < 5 < cad.image(far)


def test_targets_of_unlabelled_samples_are_not_pictures_of_a_class():
    taught = axis(6, 6)
    two = batch(axis(6, 3), [1, UNLABELLED], taught, own=True)
    # One picture, and it is of the labelled sample's class: nothing to contrast with.
    assert cad.image(two) == pytest.approx(0, abs=1e-6)


def test_relation_is_the_divergence_from_the_teachers_distribution():
    teacher = F.normalize(torch.tensor([[3.0, 2, 1, *[0] * (D - 3)]]), dim=1)
    assert cad.relation(batch(5 * teacher, [UNLABELLED], teacher)) == pytest.approx(0, abs=1e-6)
    p = torch.softmax(teacher @ CENTRES.T / 0.1, 1)
    q = torch.softmax(axis(2) @ CENTRES.T / 0.1, 1)
    found = cad.relation(batch(axis(2), [UNLABELLED], teacher))
    assert found == pytest.approx(float((p * (p / q).log()).sum()), rel=1e-4)


def test_structure_is_invariant_to_rotation():
    taught = axis(0, 0, 1)
    turned, mixed = batch(axis(4, 4, 7), [0, 0, 1], taught), batch(axis(4, 7, 7), [0, 0, 1], taught)
    assert cad.structure(turned) == pytest.approx(0, abs=1e-6)
    assert cad.structure(mixed) > 0.3


def test_embedding_uses_only_the_samples_own_picture():
    assert cad.embedding(batch(axis(3), [UNLABELLED], axis(4), own=True)) == pytest.approx(1)
    assert cad.embedding(batch(axis(3), [1], axis(4), own=False)) == 0


@pytest.mark.parametrize("labels", [[UNLABELLED] * 4, [NEGATIVE] * 4, [0, 1, 2, NEGATIVE]])
@pytest.mark.parametrize("seen", [True, False])
def test_every_term_is_finite_and_differentiable_in_any_batch(labels, seen):
    z = torch.randn(4, D, requires_grad=True)
    taught = F.normalize(torch.randn(4, D), dim=1) if seen else None
    terms = weighted_terms(batch(z, labels, taught, own=seen), CadConfig())
    loss = torch.stack(list(terms.values())).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert z.grad is not None and torch.isfinite(z.grad).all()


def test_a_term_without_weight_is_left_out():
    terms = weighted_terms(batch(axis(1), [1]), CadConfig(lambda_image=0, lambda_text=2.0))
    assert set(terms) == set(TERMS) - {"image"}
    assert terms["text"] == 2 * cad.text(batch(axis(1), [1]))


def test_every_term_has_a_weight_with_its_name():
    weights = {key for key in CadConfig.model_fields if key.startswith("lambda_")}
    assert weights == {f"lambda_{term}" for term in TERMS}
