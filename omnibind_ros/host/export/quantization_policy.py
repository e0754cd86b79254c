"""Search for the layers of an encoder to quantize, by measurement.

Ranges are taken by the method with the least error when all layers are quantized. While more answers become
wrong on held-back inputs than allowed, the layer with the largest error when quantized alone is kept in
float32, and the others are measured again. Answers that become correct do not compensate for wrong ones.
(Sensitivity of single layers: Wu et al., Integer quantization for deep learning inference, arXiv 2004.09602.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.host.export.encoder_accuracy import PreparedInputs, correct, embed, error
from omnibind_ros.host.export.onnx_graph import layers
from omnibind_ros.host.export.quantization import Ranges, all_but, quantize


@dataclass(frozen=True)
class Policy:
    """How an encoder is quantized.

    Attributes:
        method: of the ranges, one of `quantization.METHODS`.
        keep: layers that stay in float32.
        loss: correct answers that become wrong on the held-back inputs, in percentage points.
        error: mean of 1 - cosine to the float32 embeddings on them.
        errors_by_method: the error of each method with all layers quantized.
        errors_by_layer: the error of each layer quantized alone; empty if no layer had to be kept.
    """

    method: str
    keep: tuple[str, ...]
    loss: float
    error: float
    errors_by_method: dict[str, float]
    errors_by_layer: dict[str, float]


def search_policy(
    model: ModelProto,
    ranges: Mapping[str, Ranges],
    form: str,
    held_back: PreparedInputs,
    labels: LabelBank,
    allowed_loss: float,
) -> Policy:
    """The policy that keeps the fewest layers in float32 with a loss of at most `allowed_loss`.

    Args:
        model: from `onnx_graph.read_graph`.
        ranges: by method.
        form: one of `quantization.FORMS`.
        held_back: inputs on which loss and error are measured.
        allowed_loss: in percentage points.
    """
    inputs = held_back.inputs
    reference = embed(model, inputs)
    before = correct(reference, held_back, labels)
    by_method = {m: embed(quantize(model, found, form), inputs) for m, found in ranges.items()}
    errors_by_method = {m: error(embeddings, reference) for m, embeddings in by_method.items()}
    method = min(errors_by_method, key=errors_by_method.__getitem__)
    embeddings = by_method[method]
    keep: tuple[str, ...] = ()
    ranked: dict[str, float] = {}
    while True:
        loss = 100 * float(np.mean(before & ~correct(embeddings, held_back, labels)))
        if loss <= allowed_loss or len(keep) == len(layers(model)):
            break
        ranked = ranked or _ranked(model, ranges[method], form, held_back, reference)
        keep = tuple(ranked)[: len(keep) + 1]
        embeddings = embed(quantize(model, ranges[method], form, keep), inputs)
    return Policy(method, keep, loss, error(embeddings, reference), errors_by_method, ranked)


def _ranked(
    model: ModelProto, ranges: Ranges, form: str, held_back: PreparedInputs, reference: NDArray[np.float32]
) -> dict[str, float]:
    """Error of each layer quantized alone, largest first."""
    alone = {
        layer: error(embed(quantize(model, ranges, form, all_but(model, layer)), held_back.inputs), reference)
        for layer in layers(model)
    }
    return dict(sorted(alone.items(), key=lambda item: -item[1]))
