"""What one inference must do at least, counted from its ONNX graph: operations, and bytes moved."""

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
    """Counted from the graph alone.

    Attributes:
        operations: of convolutions and matrix products; a multiply-add is two.
        weight_bytes: all weights, read once.
        activation_bytes: what every convolution and matrix product reads and writes.
        eight_bit: whether the products are of bytes.
    """

    operations: int
    weight_bytes: int
    activation_bytes: int
    eight_bit: bool

    def floor_ms(self, machine: Machine) -> float:
        """Least time on a machine: computing at its peak, or moving the bytes, whichever takes longer.

        (The roofline of Williams et al. 2009.) A model that fits the caches is taken to lie in them.
        """
        peak = machine.gops_8bit if self.eight_bit and machine.gops_8bit else machine.gflops
        moved = self.weight_bytes + self.activation_bytes
        bandwidth = machine.gbytes_cached if moved < _FITS_CACHES else machine.gbytes
        return max(self.operations / peak, moved / bandwidth) / 1e6


def model_cost(path: Path) -> ModelCost:
    """Count one encoder's graph, plain or with Q/DQ nodes."""
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
    """Products that are summed for one value of the output."""
    if node.op_type == "Conv":
        return prod(weight[1:])
    transposed = any(a.name == "transB" and a.i for a in node.attribute)
    return weight[1] if transposed else weight[0]


def _shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    graph = model.graph
    infos = [*graph.input, *graph.value_info, *graph.output]
    shapes = {info.name: tuple(d.dim_value for d in info.type.tensor_type.shape.dim) for info in infos}
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
