"""A whole bundle without training: its encoders recognise one label, whatever they are shown.

    folder = write_stub_bundle(tmp_path / "stub", label="5")

An embedding is the label's centre plus a trace of the input, so that a live sensor is not taken for a stuck
one. Fusion weighs by quality.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.manifest import BundleFile, Manifest
from omnibind_ros.modalities.registry import make_preprocessor

LABELS = tuple(str(digit) for digit in range(10))
MODALITIES = ("image", "text", "audio", "event", "touch", "thermal", "point_cloud")
MAX_SENSORS = 16


def write_stub_bundle(folder: Path, label: str = "5", dim: int = 64) -> Path:
    """Write the bundle into `folder` and return it."""
    folder.mkdir(parents=True)
    centres = np.linalg.qr(np.random.default_rng(0).normal(size=(dim, dim)))[0][: len(LABELS)]
    centres = centres.astype(np.float32)
    encoders = {m: _write_encoder(folder, m, centres[LABELS.index(label)]) for m in MODALITIES}
    _write_fusion(folder / "fusion.onnx", dim)
    (folder / "labels.npz").write_bytes(LabelBank(LABELS, centres[:, None]).to_npz())
    manifest = Manifest.model_validate(
        {
            "format_version": 1,
            "name": folder.name,
            "space": {"id": f"test/stub/{dim}", "dim": dim},
            "encoders": encoders,
            "fusion": {
                **BundleFile.describe(folder, "fusion.onnx"),
                "modalities": MODALITIES,
                "max_sensors": MAX_SENSORS,
            },
            "labels": BundleFile.describe(folder, "labels.npz"),
            "calibration": {"scale_by_count": [14.0], "unknown_threshold": 0.3},
        }
    )
    (folder / "bundle.yaml").write_text(manifest.to_yaml())
    return folder


def _write_encoder(folder: Path, modality: str, centre: np.ndarray) -> dict[str, Any]:
    """raw = 12 centre + 0.01 mean(input) other; embedding = raw / |raw|, evidence = log |raw|."""
    adaptor = make_preprocessor(modality, {})
    shape, dtype = adaptor.input_shape, np.dtype(getattr(adaptor, "input_dtype", np.float32))
    file = f"{modality}.fp32.onnx"
    other = np.roll(centre, 1)
    constants = {
        "axes": np.arange(1, len(shape)),
        "one": np.array([1]),
        "base": 12 * centre[None],
        "trace": 0.01 * other[None],
        "column": np.array([-1, 1]),
    }
    nodes = [
        helper.make_node("Cast", ["signal"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "axes"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["level"]),
        helper.make_node("Mul", ["level", "trace"], ["change"]),
        helper.make_node("Add", ["base", "change"], ["raw"]),
        helper.make_node("ReduceL2", ["raw", "one"], ["norm"], keepdims=1),
        helper.make_node("Div", ["raw", "norm"], ["embedding"]),
        helper.make_node("Log", ["norm"], ["log"]),
        helper.make_node("Reshape", ["log", "one"], ["evidence"]),
    ]
    signal = helper.make_tensor_value_info("signal", helper.np_dtype_to_tensor_dtype(dtype), shape)
    outputs = {"embedding": [1, len(centre)], "evidence": [1]}
    _save(folder / file, nodes, [signal], outputs, constants)
    return {
        "precisions": {"fp32": BundleFile.describe(folder, file)},
        "input": {"name": "signal", "shape": list(shape), "dtype": dtype.name},
        "preprocessing": json.loads(json.dumps(asdict(adaptor.format))),
    }


def _write_fusion(path: Path, dim: int) -> None:
    """weights = quality x mask; fused = their sum of embeddings, normalised."""
    n, k = MAX_SENSORS, len(LABELS)
    nodes = [
        helper.make_node("Mul", ["quality", "mask"], ["weights"]),
        helper.make_node("MatMul", ["weights", "embeddings"], ["sum"]),
        helper.make_node("ReduceL2", ["sum"], ["norm"], keepdims=1),
        helper.make_node("Div", ["sum", "norm"], ["fused"]),
    ]
    shapes: dict[str, tuple[list[int], int]] = {
        "embeddings": ([n, dim], TensorProto.FLOAT),
        "evidence": ([n], TensorProto.FLOAT),
        "quality": ([n], TensorProto.FLOAT),
        "modality": ([n], TensorProto.INT64),
        "mask": ([n], TensorProto.FLOAT),
        "centres": ([k, dim], TensorProto.FLOAT),
    }
    inputs = [helper.make_tensor_value_info(name, kind, shape) for name, (shape, kind) in shapes.items()]
    _save(path, nodes, inputs, {"fused": [dim], "weights": [n]}, {})


def _save(
    path: Path, nodes: list[Any], inputs: list[Any], outputs: dict[str, list[int]], constants: dict[str, Any]
) -> None:
    wanted = [helper.make_tensor_value_info(name, TensorProto.FLOAT, dims) for name, dims in outputs.items()]
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, path.stem, inputs, wanted, weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
