"""Adaptive Fusion: robust consensus over any set of sensors (stage 2 of OmniBind, arXiv 2405.16108).

Every sensor is modelled as a mixture: with probability 1 - eps it is healthy and its belief over the
classes is p = softmax(kappa c), with probability eps it is broken and says nothing (uniform). A small
network reads kappa (how sharp) and eps (how doubtful) from how the sensor's embedding lies among the class
centres and from its evidence; agreement with the other sensors then decides how likely it is broken:

    x_i   = [top-1 cosine, margin, max and entropy of softmax(16 c_i), log s_i - 2.5,
             max and entropy of softmax(s_i c_i)],  c_i = A e_i, s_i = exp(evidence_i)
    d_i   = MLP([x_i, modality embedding])
    kappa_i = exp(b_m + 2 tanh(d_i0 / 2)),  eps_i = 0.01 + 0.98 sigmoid(b'_m + d_i1)
    r_i   = (1 - eps_i) p_i + eps_i / K
    P_i   = 1/2 softmax(sum_j log r_j) + 1/2 softmax(sum_{j != i} log r_j)
    rho_i = sum_y P_i(y) (1 - eps_i) p_i(y) / r_i(y)
    w_i   = kappa_i rho_i quality_i,  fused = normalise(sum_i w_i e_i)

Everything is symmetric in the sensors, so their order does not matter and any number of them will do. The
modality id after the last is the generic token of modalities that were added after training.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FEATURES, _TOKEN, _HIDDEN = 7, 8, 32
_FIXED_SHARPNESS = 16.0


class AdaptiveFusionModel(nn.Module):
    """About 2 k parameters.

    Args:
        modalities: how many are known; id `modalities` is the generic token.
    """

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.token = nn.Embedding(modalities + 1, _TOKEN)
        self.log_kappa = nn.Embedding(modalities + 1, 1)
        self.eps_logit = nn.Embedding(modalities + 1, 1)
        self.layers = nn.Sequential(
            nn.Linear(_FEATURES + _TOKEN, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, _HIDDEN),
            nn.ReLU(),
            nn.Linear(_HIDDEN, 2),
        )
        nn.init.normal_(self.token.weight, std=0.1)
        nn.init.constant_(self.log_kappa.weight, math.log(14.0))
        nn.init.constant_(self.eps_logit.weight, -3.0)
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(
        self,
        embeddings: Tensor,
        evidence: Tensor,
        quality: Tensor,
        modality: Tensor,
        mask: Tensor,
        centres: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Fuse sets of N sensors.

        Args:
            embeddings: float32 [..., N, D], unit norm; masked rows are zero.
            evidence, quality, mask: float32 [..., N]; mask 1 = a live sensor.
            modality: int64 [..., N].
            centres: float32 [K, D], unit norm.

        Returns:
            fused [..., D] unit norm, weights [..., N] that sum to 1 over the live sensors.
        """
        cosines = embeddings @ centres.T
        features = self._features(cosines, evidence)
        d = self.layers(torch.cat([features, self.token(modality)], dim=-1))
        kappa = torch.exp(self.log_kappa(modality) + 2 * torch.tanh(d[..., :1] / 2))
        eps = 0.01 + 0.98 * torch.sigmoid(self.eps_logit(modality) + d[..., 1:])
        healthy = (1 - eps) * torch.softmax(kappa * cosines, dim=-1)
        mixture = healthy + eps / centres.shape[0]
        log_mixture = torch.log(mixture) * mask[..., None]
        everybody = log_mixture.sum(dim=-2, keepdim=True)
        consensus = 0.5 * torch.softmax(everybody, dim=-1) + 0.5 * torch.softmax(
            everybody - log_mixture, dim=-1
        )
        trust = (consensus * healthy / mixture).sum(dim=-1)
        raw = kappa[..., 0] * trust * quality * mask
        weights = raw / raw.sum(dim=-1, keepdim=True).clamp_min(1e-9)
        fused = (weights[..., None] * embeddings).sum(dim=-2)
        return fused / fused.square().sum(dim=-1, keepdim=True).clamp_min(1e-12).sqrt(), weights

    @staticmethod
    def _features(cosines: Tensor, evidence: Tensor) -> Tensor:
        classes = cosines.shape[-1]
        # Two maxima without a sort: TensorRT and ONNX Runtime both run this everywhere.
        best, which = cosines.max(dim=-1, keepdim=True)
        second = (cosines - 4.0 * F.one_hot(which[..., 0], classes).to(cosines.dtype)).amax(
            dim=-1, keepdim=True
        )
        fixed = torch.softmax(_FIXED_SHARPNESS * cosines, dim=-1)
        own = torch.softmax(torch.exp(evidence)[..., None] * cosines, dim=-1)
        return torch.cat(
            [
                best,
                best - second,
                _entropy(fixed),
                fixed.amax(dim=-1, keepdim=True),
                evidence[..., None] - 2.5,
                own.amax(dim=-1, keepdim=True),
                _entropy(own),
            ],
            dim=-1,
        )


def _entropy(p: Tensor) -> Tensor:
    """Entropy [..., 1] of [..., K] as a share of the largest possible."""
    return -(p * torch.log(p.clamp_min(1e-30))).sum(dim=-1, keepdim=True) / math.log(p.shape[-1])
