"""A bundle of four labels whose encoders anybody can follow, so that tests need no trained one.

image   the brightest quarter of the picture says the label (0 1 / 2 3)
audio   so does the band of a tone: `TONES_HZ`
text    so does the word: `LABELS`
fusion  the mean weighted by quality
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.manifest import BundleFile, Manifest
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.registry import make_preprocessor
from omnibind_ros.types import Space

SPACE = Space("test/tiny/1", dim=8)
LABELS = ("zero", "one", "two", "three")
TONES_HZ = (250.0, 790.0, 1640.0, 2970.0)
MAX_SENSORS = 6
CENTRES = np.eye(len(LABELS), SPACE.dim, dtype=np.float32)


def write_tiny_bundle(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    adaptors = {modality: make_preprocessor(modality) for modality in ("image", "audio", "text")}
    _write_encoder(folder, "image", adaptors["image"], *_quarters())
    _write_encoder(folder, "audio", adaptors["audio"], *_bands())
    _write_encoder(folder, "text", adaptors["text"], *_words(adaptors["text"]))
    _write_fusion(folder / "fusion.onnx")
    (folder / "labels.npz").write_bytes(LabelBank(LABELS, CENTRES[:, None]).to_npz())

    def encoder(modality: str, adaptor: Preprocessor) -> dict[str, Any]:
        return {
            "precisions": {"fp32": BundleFile.describe(folder, f"{modality}.onnx")},
            "input": {"name": "signal", "shape": list(adaptor.input_shape), "dtype": "float32"},
            "preprocessing": asdict(adaptor.format),
        }

    manifest = Manifest.model_validate(
        {
            "format_version": 1,
            "name": folder.name,
            "space": {"id": SPACE.id, "dim": SPACE.dim},
            "encoders": {modality: encoder(modality, adaptor) for modality, adaptor in adaptors.items()},
            "fusion": {
                **BundleFile.describe(folder, "fusion.onnx"),
                "modalities": list(adaptors),
                "max_sensors": MAX_SENSORS,
            },
            "labels": BundleFile.describe(folder, "labels.npz"),
            "calibration": {"scale_by_count": [10.0], "unknown_threshold": 0.4},
        }
    )
    (folder / "bundle.yaml").write_text(manifest.to_yaml())
    return folder


def picture(label: int, rng: np.random.Generator, side: int = 64) -> NDArray[np.uint8]:
    """uint8 [side, side, 3] with one bright quarter and some noise."""
    pixels = rng.normal(60, 8, (side, side, 3))
    half, (row, column) = side // 2, divmod(label, 2)
    pixels[row * half : (row + 1) * half, column * half : (column + 1) * half] += 140
    return np.clip(pixels, 0, 255).astype(np.uint8)


def spoken(label: int, rate: int, seconds: float = 0.4) -> NDArray[np.float32]:
    """float32 [n]: a tone with soft ends."""
    t = np.arange(round(seconds * rate)) / rate
    tone = 0.4 * np.sin(2 * np.pi * TONES_HZ[label] * t) * np.minimum(1, 40 * np.minimum(t, seconds - t))
    return tone.astype(np.float32)


_Nodes = list[Any]
_Constants = dict[str, NDArray[Any]]


def _quarters() -> tuple[_Nodes, _Constants]:
    return [
        helper.make_node("ReduceMean", ["signal", "channel"], ["grey"]),
        helper.make_node("AveragePool", ["grey"], ["pooled"], kernel_shape=[24, 24], strides=[24, 24]),
        helper.make_node("Reshape", ["pooled", "flat"], ["scores"]),
    ], {"channel": np.array([1]), "flat": np.array([1, 4])}


def _bands() -> tuple[_Nodes, _Constants]:
    return [
        helper.make_node("ReduceMean", ["signal", "time"], ["spectrum"]),
        helper.make_node("AveragePool", ["spectrum"], ["pooled"], kernel_shape=[10, 1], strides=[10, 1]),
        helper.make_node("Reshape", ["pooled", "flat"], ["raw"]),
        helper.make_node("Mul", ["raw", "ten"], ["scores"]),
    ], {"time": np.array([3]), "flat": np.array([1, 4]), "ten": np.array(10, np.float32)}


def _words(adaptor: Preprocessor) -> tuple[_Nodes, _Constants]:
    words = np.concatenate([adaptor.prepare(word) for word in LABELS])
    return [
        helper.make_node("MatMul", ["signal", "words"], ["raw"]),
        helper.make_node("Mul", ["raw", "ten"], ["scores"]),
    ], {"words": np.ascontiguousarray(words.T), "ten": np.array(10, np.float32)}


def _write_encoder(
    folder: Path, modality: str, adaptor: Preprocessor, nodes: _Nodes, constants: _Constants
) -> None:
    """scores [1, 4] -> the centre of the highest, softly, so that noise shows in the embedding."""
    nodes = [
        *nodes,
        helper.make_node("Mul", ["scores", "sharpness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["shares"], axis=1),
        helper.make_node("MatMul", ["shares", "centres"], ["mixed"]),
        helper.make_node("ReduceL2", ["mixed", "last"], ["norm"], keepdims=1),
        helper.make_node("Div", ["mixed", "norm"], ["embedding"]),
        helper.make_node("Log", ["norm"], ["log"]),
        helper.make_node("Reshape", ["log", "one"], ["evidence"]),
    ]
    constants = {
        **constants,
        "sharpness": np.array(2, np.float32),
        "centres": CENTRES,
        "last": np.array([1]),
        "one": np.array([1]),
    }
    inputs = [helper.make_tensor_value_info("signal", TensorProto.FLOAT, adaptor.input_shape)]
    outputs = [
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, SPACE.dim]),
        helper.make_tensor_value_info("evidence", TensorProto.FLOAT, [1]),
    ]
    _save(folder / f"{modality}.onnx", nodes, inputs, outputs, constants)


def _write_fusion(path: Path) -> None:
    n, shapes = MAX_SENSORS, {"embeddings": [MAX_SENSORS, SPACE.dim], "centres": list(CENTRES.shape)}
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes.get(name, [n]))
        for name in ("embeddings", "evidence", "quality", "mask", "centres")
    ]
    inputs.append(helper.make_tensor_value_info("modality", TensorProto.INT64, [n]))
    nodes = [
        helper.make_node("Mul", ["quality", "mask"], ["say"]),
        helper.make_node("ReduceSum", ["say"], ["total"], keepdims=1),
        helper.make_node("Div", ["say", "total"], ["weights"]),
        helper.make_node("MatMul", ["weights", "embeddings"], ["mixed"]),
        helper.make_node("ReduceL2", ["mixed"], ["norm"], keepdims=1),
        helper.make_node("Div", ["mixed", "norm"], ["fused"]),
    ]
    outputs = [
        helper.make_tensor_value_info("fused", TensorProto.FLOAT, [SPACE.dim]),
        helper.make_tensor_value_info("weights", TensorProto.FLOAT, [n]),
    ]
    _save(path, nodes, inputs, outputs, {})


def _save(path: Path, nodes: _Nodes, inputs: list[Any], outputs: list[Any], constants: _Constants) -> None:
    initializers = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, path)
