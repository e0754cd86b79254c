"""ONNX graphs prepared for conversion to other precisions: known shapes, constants as initialisers."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto, numpy_helper

WEIGHTED = ("Conv", "Gemm", "MatMul")
"""Operators with weights, which take most of the time and gain from fewer bits."""


def read_graph(path: Path) -> ModelProto:
    """Read a model, turn its `Constant` nodes into initialisers and infer the shape of every tensor."""
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
