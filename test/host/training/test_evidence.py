"""Evidence heads: less evidence where the encoder is wrong; the embedding is unchanged."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from made_pools import CENTRES, D, K, unit  # noqa: E402
from torch import nn  # noqa: E402

from omnibind_ros.host.models.evidence import EvidenceEncoder, EvidenceHead  # noqa: E402
from omnibind_ros.host.training.evidence import fit_evidence  # noqa: E402


class Plain(nn.Module):
    """An encoder that hands through unit vectors, all equally sure."""

    def forward(self, x):
        return x, torch.full((len(x), 1), 2.5)


def test_an_untrained_head_changes_nothing():
    x = torch.from_numpy(unit(np.random.default_rng(0).standard_normal((5, D))))
    encoder = EvidenceEncoder(Plain(), EvidenceHead(D)).eval()
    for mine, theirs in zip(encoder(x), Plain()(x), strict=True):
        torch.testing.assert_close(mine, theirs)


def samples(seed: int, count: int = 1500):
    """Broken sensors say anything, and say so in a direction of their own."""
    rng = np.random.default_rng(seed)
    labels, broken = rng.integers(0, K, count), rng.random(count) < 0.5
    say = np.where(broken, rng.integers(0, K, count), labels)
    mark = unit(np.random.default_rng(77).standard_normal(D))
    vectors = unit(CENTRES[say] + 0.6 * broken[:, None] * mark + 0.08 * rng.standard_normal((count, D)))
    return torch.from_numpy(vectors), torch.full((count,), 2.5), torch.from_numpy(labels), broken


def test_a_trained_head_gives_broken_sensors_less_evidence():
    torch.manual_seed(0)
    vectors, norms, labels, _ = samples(0, 8000)
    head = fit_evidence(vectors, norms, labels, torch.from_numpy(CENTRES))
    vectors, norms, _, broken = samples(1)
    encoder = EvidenceEncoder(Plain(), head).eval()
    with torch.no_grad():
        embedding, evidence = encoder(vectors)
    torch.testing.assert_close(embedding, vectors)
    evidence = evidence[:, 0].numpy()
    assert np.quantile(evidence[broken], 0.95) < np.quantile(evidence[~broken], 0.05)
