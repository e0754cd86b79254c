"""Small encoders as ONNX files, made without torch: what precisions are tried on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

CLASSES, DIM = 4, 16


def centres() -> NDArray[np.float32]:
    """float32 [CLASSES, DIM], orthonormal."""
    return np.eye(CLASSES, DIM, dtype=np.float32)


def write_picture_encoder(path: Path, name: str = "picture", seed: int = 0) -> Path:
    """Input [1,2,8,8] -> a residual block, pooled, a head, `embedding` [1,DIM] and `evidence` [1]."""
    rng = np.random.default_rng(seed)

    def weight(*shape: int) -> NDArray[np.float32]:
        # Channels of very different size, as after folding batch-norm.
        scale = np.geomspace(0.1, 3, shape[0]).reshape(-1, *[1] * (len(shape) - 1))
        values: NDArray[np.float64] = rng.normal(size=shape) * scale / np.sqrt(np.prod(shape[1:]))
        return values.astype(np.float32)

    values = {
        "first.weight": weight(6, 2, 3, 3),
        "first.bias": weight(6),
        "second.weight": weight(6, 6, 3, 3),
        "second.bias": weight(6),
        "head.weight": weight(DIM, 6),
        "head.bias": weight(DIM),
    }
    same: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    nodes = [
        helper.make_node("Conv", [name, "first.weight", "first.bias"], ["a"], "first", **same),
        helper.make_node("Relu", ["a"], ["b"], "first.relu"),
        helper.make_node("Conv", ["b", "second.weight", "second.bias"], ["c"], "second", **same),
        helper.make_node("Add", ["c", "b"], ["d"], "add"),
        helper.make_node("Relu", ["d"], ["e"], "second.relu"),
        helper.make_node("ReduceMean", ["e"], ["f"], "pool", axes=[2, 3], keepdims=0),
        helper.make_node("Gemm", ["f", "head.weight", "head.bias"], ["z"], "head", transB=1),
    ]
    return _write(path, nodes, name, [1, 2, 8, 8], values)


def write_two_layers(path: Path, first: NDArray[np.float32], second: NDArray[np.float32], name: str) -> Path:
    """Input [1,N] -> ReLU(x first) second -> `embedding`, `evidence`; layers `first` and `second`."""
    nodes = [
        helper.make_node("Gemm", [name, "first.weight"], ["a"], "first"),
        helper.make_node("Relu", ["a"], ["b"], "relu"),
        helper.make_node("Gemm", ["b", "second.weight"], ["z"], "second"),
    ]
    return _write(path, nodes, name, [1, len(first)], {"first.weight": first, "second.weight": second})


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    name: str,
    shape: list[int],
    values: dict[str, NDArray[np.float32]],
) -> Path:
    dim = values["second.weight"].shape[1] if "head.bias" not in values else DIM
    nodes = [
        *nodes,
        helper.make_node("Constant", [], ["tiny"], value=numpy_helper.from_array(np.float32(1e-6))),
        helper.make_node("ReduceL2", ["z"], ["length"], "norm", axes=[1], keepdims=1),
        helper.make_node("Max", ["length", "tiny"], ["norm"], "max"),
        helper.make_node("Div", ["z", "norm"], ["embedding"], "div"),
        helper.make_node("Log", ["norm"], ["log"], "log"),
        helper.make_node("Squeeze", ["log", "axis"], ["evidence"], "squeeze"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, dim]),
            helper.make_tensor_value_info("evidence", TensorProto.FLOAT, [1]),
        ],
        [
            *(numpy_helper.from_array(value, key) for key, value in values.items()),
            numpy_helper.from_array(np.array([1]), "axis"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path
