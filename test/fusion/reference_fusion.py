"""The adaptive fusion of the design, written out in numpy: the oracle of every faster version of it.

For live sensor i with embedding e_i, evidence log s_i, and class centres A [K, D]: c_i = A e_i and

    x_i   = [top-1 cosine, top-1 minus top-2 cosine, H(softmax(16 c_i)) / log K, max softmax(16 c_i),
             log s_i - 2.5, max softmax(s_i c_i), H(softmax(s_i c_i)) / log K]
    d_i   = MLP([x_i, modality embedding 8]) -> 32 -> 32 -> 2, ReLU between
    kappa_i = exp(b_m + 2 tanh(d_i0 / 2))            how sharp sensor i is (b_m starts at log 14)
    eps_i   = 0.01 + 0.98 sigmoid(b'_m + d_i1)       how likely it is broken (b'_m starts at -3)
    p_i   = softmax(kappa_i c_i),  r_i = (1 - eps_i) p_i + eps_i / K
    P_i   = 1/2 softmax(sum_j log r_j) + 1/2 softmax(sum_{j != i} log r_j)
    rho_i = sum_y P_i(y) (1 - eps_i) p_i(y) / r_i(y)  the belief that it is not broken, given the others
    w_i   = kappa_i rho_i,  fused = normalise(sum_i w_i e_i)

Sums over j run over live sensors. Quality is an input of the model that this form does not use.
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
    """The weights of the model for M modalities; the last row of what is per modality is the generic one."""

    modality_embedding: Array  # [M + 1, 8]
    layers: tuple[tuple[Array, Array], ...]  # (weight [out, in], bias [out]) of 15 -> 32 -> 32 -> 2
    log_kappa: Array  # [M + 1], b_m
    eps_logit: Array  # [M + 1], b'_m

    @classmethod
    def initial(cls, modalities: int, seed: int = 0, last_layer: float = 0.0) -> FusionParameters:
        """As training starts (`last_layer` 0), or with a last layer of that spread."""
        rng = np.random.default_rng(seed)
        sizes = (15, 32, 32, 2)
        spreads = (1 / np.sqrt(15), 1 / np.sqrt(32), last_layer)
        layers = tuple(
            (rng.standard_normal((n_out, n_in)) * spread, np.zeros(n_out))
            for n_in, n_out, spread in zip(sizes[:-1], sizes[1:], spreads, strict=True)
        )
        rows = modalities + 1
        return cls(
            rng.standard_normal((rows, 8)) * 0.1, layers, np.full(rows, np.log(14.0)), np.full(rows, -3.0)
        )


class ReferenceFusion:
    """The formula as an engine: `run(inputs) -> {'fused': [D], 'weights': [N]}`."""

    def __init__(self, parameters: FusionParameters) -> None:
        self._parameters = parameters

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        rows = np.flatnonzero(inputs["mask"] > 0)
        e = inputs["embeddings"][rows].astype(np.float64)
        c = e @ inputs["centres"].astype(np.float64).T
        kappa, eps = self._sharpness_and_fault(c, inputs["evidence"][rows], inputs["modality"][rows])
        p = _softmax(kappa[:, None] * c)
        r = (1 - eps[:, None]) * p + eps[:, None] / c.shape[1]
        log_r = np.log(r)
        everybody = log_r.sum(axis=0)
        consensus = 0.5 * _softmax(everybody)[None] + 0.5 * _softmax(everybody[None] - log_r)
        rho = (consensus * (1 - eps[:, None]) * p / r).sum(axis=1)
        w = kappa * rho
        fused = w @ e
        weights = np.zeros(len(inputs["mask"]), np.float32)
        weights[rows] = w / w.sum()
        return {"fused": (fused / np.linalg.norm(fused)).astype(np.float32), "weights": weights}

    def _sharpness_and_fault(
        self, c: Array, evidence: NDArray[Any], modality: NDArray[Any]
    ) -> tuple[Array, Array]:
        parameters = self._parameters
        hidden = np.concatenate([_features(c, evidence), parameters.modality_embedding[modality]], axis=1)
        for weight, bias in parameters.layers[:-1]:
            hidden = np.maximum(hidden @ weight.T + bias, 0.0)
        weight, bias = parameters.layers[-1]
        d = hidden @ weight.T + bias
        kappa = np.exp(parameters.log_kappa[modality] + 2 * np.tanh(d[:, 0] / 2))
        eps = 0.01 + 0.98 / (1 + np.exp(-(parameters.eps_logit[modality] + d[:, 1])))
        return kappa, eps


def _features(c: Array, evidence: NDArray[Any]) -> Array:
    log_s = evidence.astype(np.float64)
    first, second = np.sort(c, axis=1)[:, :-3:-1].T
    fixed = _softmax(16 * c)
    own = _softmax(np.exp(log_s)[:, None] * c)
    return np.stack(
        [
            first,
            first - second,
            _entropy(fixed),
            fixed.max(axis=1),
            log_s - 2.5,
            own.max(axis=1),
            _entropy(own),
        ],
        axis=1,
    )


def _entropy(p: Array) -> Array:
    """Of each row, as a share of the largest possible."""
    terms: Array = -(p * np.log(np.maximum(p, 1e-30)))
    return terms.sum(axis=1) / np.log(p.shape[1])


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities
