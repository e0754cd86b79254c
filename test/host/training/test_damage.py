"""Random damage changes model inputs of any shape, reproducibly."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from omnibind_ros.host.training.damage import damage  # noqa: E402


@pytest.mark.parametrize("shape", [(1, 40, 98), (12, 16, 16), (3, 5, 7)])
def test_damaged_inputs_are_other_inputs_of_the_same_shape(shape):
    clean = torch.rand(60, *shape)
    damaged, again = (damage(clean, torch.Generator().manual_seed(3)) for _ in range(2))
    assert damaged.shape == clean.shape
    assert torch.isfinite(damaged).all()
    assert torch.equal(damaged, again)
    assert (damaged != clean).flatten(1).any(dim=1).float().mean() > 0.75
