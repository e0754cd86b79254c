"""The adaptive fusion of the design, written out in numpy: the oracle of every faster version of it.

For live sensor i of modality m with embedding e_i, evidence log s_i, and class centres A [K, D]:

    c_i     = A e_i,  kappa_i = exp(log s_i + b_m),  p_i = softmax(kappa_i c_i)
    h_i     = (1 - eps_m) p_i,  r_i = h_i + eps_m / K,  eps_m = 0.01 + 0.98 sigmoid(b'_m)
    P       = softmax(sum_i log r_i)
    w_i     = q_i sum_y P(y) h_i(y),  fused = normalise(sum_i w_i e_i)

Sums over i run over live sensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FusionParameters:
    """The weights of the model for M modalities; the last row is the generic one."""

    log_sharpness: Array  # [M + 1], b_m
    fault_logit: Array  # [M + 1], b'_m

    @classmethod
    def initial(cls, modalities: int, seed: int = 0, spread: float = 0.0) -> FusionParameters:
        """As training starts, or with parameters of that spread around it."""
        rng = np.random.default_rng(seed)
        rows = modalities + 1
        return cls(spread * rng.standard_normal(rows), -3.0 + spread * rng.standard_normal(rows))


class ReferenceFusion:
    """The formula as an engine: `run(inputs) -> {'fused': [D], 'weights': [N]}`."""

    def __init__(self, parameters: FusionParameters) -> None:
        self._parameters = parameters

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        rows = np.flatnonzero(inputs["mask"] > 0)
        e = inputs["embeddings"][rows].astype(np.float64)
        c = e @ inputs["centres"].astype(np.float64).T
        modality = inputs["modality"][rows]
        kappa = np.exp(inputs["evidence"][rows].astype(np.float64) + self._parameters.log_sharpness[modality])
        eps = 0.01 + 0.98 / (1 + np.exp(-self._parameters.fault_logit[modality]))
        h = (1 - eps[:, None]) * _softmax(kappa[:, None] * c)
        consensus = _softmax(np.log(h + eps[:, None] / c.shape[1]).sum(axis=0))
        w = inputs["quality"][rows] * (consensus * h).sum(axis=1)
        fused = w @ e
        weights = np.zeros(len(inputs["mask"]), np.float32)
        weights[rows] = w / w.sum()
        return {"fused": (fused / np.linalg.norm(fused)).astype(np.float32), "weights": weights}


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities
