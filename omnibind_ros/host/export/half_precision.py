"""Conversion of encoders from float32 to float16 where that saves time and keeps accuracy.

Convolutions, matrix products, and operators that only move or compare their results use float16. Inputs,
outputs, means, sums, roots, logarithms and divisions stay in float32, because the square of an embedding's
norm would leave the range of float16. Every change of type is an explicit `Cast`, so that a strongly typed
TensorRT network computes each operator in the type of the file.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

_IN_HALF = frozenset({"Conv", "Gemm", "MatMul", "Relu", "Add", "MaxPool", "GlobalMaxPool", "ReduceMax"})
_LARGEST = float(np.finfo(np.float16).max)


def to_half_precision(model: ModelProto) -> ModelProto:
    """A copy of a model from `read_graph` with its expensive parts in float16.

    Raises:
        ValueError: a weight is out of the range of float16.
    """
    half = ModelProto()
    half.CopyFrom(model)
    graph = half.graph
    types = _tensor_types(model)
    # The name of each float tensor in each of the two types, if it exists in that type.
    named: dict[tuple[str, int], str] = {}
    for name, kind in types.items():
        named[name, kind] = name
    nodes: list[NodeProto] = []
    for node in graph.node:
        wanted = TensorProto.FLOAT16 if node.op_type in _IN_HALF else TensorProto.FLOAT
        for position, name in enumerate(node.input):
            if types.get(name) in (TensorProto.FLOAT, TensorProto.FLOAT16):
                if (name, wanted) not in named:
                    nodes += _converted(half, name, types[name], wanted, named)
                node.input[position] = named[name, wanted]
        for position, name in enumerate(node.output):
            if types.get(name) == TensorProto.FLOAT and wanted == TensorProto.FLOAT16:
                node.output[position] = f"{name}_half"
                named[name, wanted] = f"{name}_half"
                del named[name, TensorProto.FLOAT]
                types[name] = wanted
        nodes.append(node)
    for output in graph.output:
        if (output.name, TensorProto.FLOAT) not in named and types[output.name] == TensorProto.FLOAT16:
            nodes.append(
                helper.make_node("Cast", [f"{output.name}_half"], [output.name], to=TensorProto.FLOAT)
            )
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    _drop_unused_weights(half)
    return half


def _tensor_types(model: ModelProto) -> dict[str, int]:
    infos: list[ValueInfoProto] = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    types = {info.name: info.type.tensor_type.elem_type for info in infos}
    return types | {tensor.name: tensor.data_type for tensor in model.graph.initializer}


def _converted(
    model: ModelProto, name: str, kind: int, wanted: int, named: dict[tuple[str, int], str]
) -> list[NodeProto]:
    """Convert a tensor to its other type: weights in the file, other tensors by a `Cast` node."""
    new = f"{name}_half" if wanted == TensorProto.FLOAT16 else f"{name}_float"
    named[name, wanted] = new
    for tensor in model.graph.initializer:
        if tensor.name == name:
            values = numpy_helper.to_array(tensor)
            if np.abs(values).max(initial=0) > _LARGEST:
                raise ValueError(
                    f"weight {name!r} is out of the range of float16: {np.abs(values).max():.3g}"
                )
            model.graph.initializer.append(numpy_helper.from_array(values.astype(np.float16), new))
            return []
    return [helper.make_node("Cast", [named[name, kind]], [new], name=f"{new}/Cast", to=wanted)]


def _drop_unused_weights(model: ModelProto) -> None:
    used = {name for node in model.graph.node for name in node.input}
    for tensor in [t for t in model.graph.initializer if t.name not in used]:
        model.graph.initializer.remove(tensor)
