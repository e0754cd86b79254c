"""Which layers may lose bits? Found by measuring, for each encoder and form.

Ranges are taken by the method under which all layers together err least. Then every layer is quantised alone
and ranked by the error that it causes; while more answers turn wrong on held-back inputs than is allowed, the
worst layer is kept in float32 and all others are tried again. Answers that happen to turn right do not make
up for them. (Error of a layer alone as its sensitivity: Wu et al. 2020, "Integer quantization for deep
learning inference", arXiv 2004.09602.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.host.export.encoder_accuracy import PreparedInputs, embed, error, right
from omnibind_ros.host.export.onnx_graph import layers
from omnibind_ros.host.export.quantization import Ranges, all_but, quantize


@dataclass(frozen=True)
class Policy:
    """How an encoder is quantised.

    Attributes:
        method: how ranges are taken, one of `quantization.METHODS`.
        keep: layers that stay in float32.
        loss: right answers that turn wrong on the inputs that it was judged on, in points of 100.
        error: mean of 1 - cosine to the float32 embeddings on them.
        errors_by_method: the same for each method, all layers quantised.
        errors_by_layer: the same for each layer quantised alone, where that had to be known.
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
    judged_on: PreparedInputs,
    labels: LabelBank,
    allowed_loss: float,
) -> Policy:
    """The quantisation of most layers that costs at most `allowed_loss` points on `judged_on`.

    Args:
        model: of `onnx_graph.read_graph`.
        ranges: by method.
        form: one of `quantization.FORMS`.
    """
    inputs = judged_on.inputs
    reference = embed(model, inputs)
    before = right(reference, judged_on, labels)
    by_method = {m: embed(quantize(model, found, form), inputs) for m, found in ranges.items()}
    errors_by_method = {m: error(embeddings, reference) for m, embeddings in by_method.items()}
    method = min(errors_by_method, key=errors_by_method.__getitem__)
    embeddings = by_method[method]
    keep: tuple[str, ...] = ()
    ranked: dict[str, float] = {}
    while True:
        loss = 100 * float(np.mean(before & ~right(embeddings, judged_on, labels)))
        if loss <= allowed_loss or len(keep) == len(layers(model)):
            break
        ranked = ranked or _ranked(model, ranges[method], form, judged_on, reference)
        keep = tuple(ranked)[: len(keep) + 1]
        embeddings = embed(quantize(model, ranges[method], form, keep), inputs)
    return Policy(method, keep, loss, error(embeddings, reference), errors_by_method, ranked)


def _ranked(
    model: ModelProto, ranges: Ranges, form: str, judged_on: PreparedInputs, reference: NDArray[np.float32]
) -> dict[str, float]:
    """Error of each layer quantised alone, the worst first."""
    alone = {
        layer: error(embed(quantize(model, ranges, form, all_but(model, layer)), judged_on.inputs), reference)
        for layer in layers(model)
    }
    return dict(sorted(alone.items(), key=lambda item: -item[1]))
