"""Adaptive Fusion: robust consensus over any set of sensors (stage 2 of OmniBind, arXiv 2405.16108).

Every sensor is modelled as a mixture: with probability 1 - eps it is healthy and its distribution over the
classes is p = softmax(kappa c); with probability eps it is stuck or broken and its distribution is uniform.
Its sharpness comes with the embedding: evidence is the logarithm of the scale at which the softmax of its
cosines is calibrated (see `models.evidence`). A sensor's weight is its agreement with the consensus of all:

    c_i     = A e_i,  kappa_i = exp(evidence_i + b_m),  p_i = softmax(kappa_i c_i)
    h_i     = (1 - eps_m) p_i,  r_i = h_i + eps_m / K,  P = softmax(sum_i log r_i)
    w_i     = quality_i sum_y P(y) h_i(y),  fused = normalise(sum_i w_i e_i)

b_m and eps_m of each modality m are all that is learned: the number of classes K is that of the centres A.
Everything is symmetric in the sensors, so neither their order nor their number matters. The modality id after
the last is the generic token of modalities that were added after training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AdaptiveFusionModel(nn.Module):
    """Two parameters per modality.

    Args:
        modalities: number of known ones; id `modalities` is the generic token.
    """

    def __init__(self, modalities: int) -> None:
        super().__init__()
        self.log_sharpness = nn.Parameter(torch.zeros(modalities + 1))
        self.fault_logit = nn.Parameter(torch.full((modalities + 1,), -3.0))

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
            fused [..., D] of unit norm, weights [..., N] that sum to 1 over the live sensors.
        """
        # One table and one look-up; all that is done to the table is folded into it on export.
        fault = 0.01 + 0.98 * torch.sigmoid(self.fault_logit)
        table = torch.stack([self.log_sharpness, 1 - fault, fault], dim=1)
        looked_up = table[modality]
        log_sharpness, healthy, broken = (looked_up[..., i : i + 1] for i in range(3))

        live = mask[..., None]
        kappa = torch.exp(evidence[..., None] + log_sharpness)
        # The many centres first: ONNX Runtime would copy the second factor into another layout at each run.
        cosines = (centres @ embeddings.transpose(-1, -2)).transpose(-1, -2)
        belief = healthy * torch.softmax(kappa * cosines, dim=-1)
        log_mixture = torch.log(belief + broken / centres.shape[0]) * live
        consensus = torch.softmax(log_mixture.sum(dim=-2, keepdim=True), dim=-1)
        raw = (consensus * belief).sum(dim=-1) * quality * mask
        weights = raw / raw.sum(dim=-1, keepdim=True).clamp_min(1e-9)
        fused = (weights[..., None, :] @ embeddings)[..., 0, :]
        return fused / fused.square().sum(dim=-1, keepdim=True).clamp_min(1e-12).sqrt(), weights
