"""ONNX graphs as the precisions are made of them: static shapes known, constants among the initialisers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, numpy_helper

WEIGHTED = ("Conv", "Gemm", "MatMul")
"""Operators with weights: where the time goes, and what is worth fewer bits."""


def read_graph(path: Path) -> ModelProto:
    """Read a model; `Constant` nodes become initialisers, every tensor has its shape."""
    model = onnx.load(path)
    constants = [node for node in model.graph.node if node.op_type == "Constant"]
    for node in constants:
        value = numpy_helper.to_array(node.attribute[0].t)
        model.graph.initializer.append(numpy_helper.from_array(value, node.output[0]))
        model.graph.node.remove(node)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def layers(model: ModelProto) -> list[str]:
    """Names of the nodes with weights, from input to output."""
    return [node.name for node in model.graph.node if node.op_type in WEIGHTED]


def weights(model: ModelProto) -> dict[str, NDArray[Any]]:
    """The initialisers by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def shapes(model: ModelProto) -> dict[str, tuple[int, ...]]:
    """Shape of every tensor that is not an initialiser."""
    graph = model.graph
    infos = [*graph.input, *graph.value_info, *graph.output]
    return {info.name: tuple(d.dim_value for d in info.type.tensor_type.shape.dim) for info in infos}


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """The value of an attribute, or `default`."""
    return next((onnx.helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)
