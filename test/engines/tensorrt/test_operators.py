"""What is shipped can be read by TensorRT's ONNX parser, going by the list of operators that it publishes."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx import numpy_helper

FILES = [
    path
    for path in sorted((Path(__file__).parents[3] / "engines" / "digits").glob("*.onnx"))
    if ".u8s8." not in path.name  # for CPUs alone
]
PARSERS = json.loads(Path(__file__).with_name("tensorrt_operators.json").read_text())
"""By TensorRT version: newest opset and supported operators, from docs/operators.md of that release."""


@pytest.mark.parametrize("version", PARSERS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_operator_is_supported(path, version):
    model, parser = onnx.load(path), PARSERS[version]
    assert {node.op_type for node in model.graph.node} <= set(parser["operators"]), parser["source"]
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    (opset,) = (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    assert opset <= parser["opset"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_shapes_are_static_but_for_the_number_of_classes(path):
    graph = onnx.load(path).graph
    for tensor in (*graph.input, *graph.output):
        axes = [axis.dim_param or axis.dim_value for axis in tensor.type.tensor_type.shape.dim]
        if (path.name, tensor.name) == ("fusion.onnx", "centres"):
            assert axes == ["classes", 384]
        else:
            assert all(isinstance(length, int) and length > 0 for length in axes), f"{tensor.name}: {axes}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_quantization_is_what_the_parser_takes(path):
    """Signed, symmetric, zero point given as zero, scales positive, no int32 biases (the list: only INT8)."""
    graph = onnx.load(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            data, scale, zero = node.input
            assert constants[zero].dtype == "int8", f"{path.name}: {node.name}"
            assert not constants[zero].any(), f"{path.name}: {node.name} is not symmetric"
            assert (constants[scale] > 0).all(), f"{path.name}: {node.name}"
            assert data not in constants or constants[data].dtype in ("int8", "float32"), node.name
