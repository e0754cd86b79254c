"""Least work of one inference, counted from its ONNX graph: operations, and bytes moved."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import onnx
from onnx import ModelProto, NodeProto

from omnibind_ros.host.bench.machine import Machine

_FITS_CACHES = 8 << 20


@dataclass(frozen=True)
class ModelCost:
    """The work of one inference.

    Attributes:
        operations: of convolutions and matrix products; a multiply-add counts as two.
        weight_bytes: of all weights, each read once.
        activation_bytes: read and written by convolutions and matrix products.
        eight_bit: whether the products are of 8 bit numbers.
    """

    operations: int
    weight_bytes: int
    activation_bytes: int
    eight_bit: bool

    def floor_ms(self, machine: Machine) -> float:
        """Least latency on a machine in ms: computing or moving the bytes at its peak, the longer of the two.

        This is the roofline model (Williams, Waterman, Patterson 2009). A model that fits the caches is
        assumed to be in them.
        """
        peak = machine.gops_8bit if self.eight_bit and machine.gops_8bit else machine.gflops
        moved = self.weight_bytes + self.activation_bytes
        bandwidth = machine.gbytes_cached if moved < _FITS_CACHES else machine.gbytes
        return max(self.operations / peak, moved / bandwidth) / 1e6


def model_cost(path: Path) -> ModelCost:
    """Count the work of one encoder, with or without Q/DQ nodes."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    shapes = _shapes(model)
    eight_bit = any(node.op_type == "QuantizeLinear" for node in model.graph.node)
    size = 1 if eight_bit else 4
    operations = weights = activations = 0
    for node in model.graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul"):
            continue
        signal, weight, output = shapes[node.input[0]], shapes[node.input[1]], shapes[node.output[0]]
        operations += 2 * prod(output) * _depth(node, weight)
        weights += prod(weight) * size
        activations += (prod(signal) + prod(output)) * size
    return ModelCost(operations, weights, activations, eight_bit)


def _depth(node: NodeProto, weight: tuple[int, ...]) -> int:
    """Number of products summed for one output value."""
    if node.op_type == "Conv":
        return prod(weight[1:])
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return weight[1] if transposed else weight[0]


def _shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    graph = model.graph
    infos = [*graph.input, *graph.value_info, *graph.output]
    shapes = {info.name: tuple(d.dim_value for d in info.type.tensor_type.shape.dim) for info in infos}
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
