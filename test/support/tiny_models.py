"""A tiny bundle: embedding = normalised input @ weights, evidence = log of the norm before."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import strict_cuda
import strict_tensorrt
from onnx import TensorProto, helper, numpy_helper

from omnibind_ros.bundle.manifest import BundleFile, Manifest
from omnibind_ros.engines.tensorrt import cuda_graph

DIM = 8
INPUT_SHAPE = (1, 4)


def write_encoder(path: Path, dim: int = DIM, shape: tuple[int | str, ...] = INPUT_SHAPE) -> None:
    weights = np.random.default_rng(0).normal(size=(4, dim)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["signal", "weights"], ["raw"]),
        helper.make_node("ReduceL2", ["raw", "axis"], ["norm"], keepdims=1),
        helper.make_node("Div", ["raw", "norm"], ["embedding"]),
        helper.make_node("Log", ["norm"], ["log"]),
        helper.make_node("Reshape", ["log", "one"], ["evidence"]),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([1], np.int64), "axis"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
    ]
    inputs = [helper.make_tensor_value_info("signal", TensorProto.FLOAT, shape)]
    outputs = [
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [shape[0], dim]),
        helper.make_tensor_value_info("evidence", TensorProto.FLOAT, [1]),
    ]
    save(path, nodes, inputs, outputs, constants)


def save(
    path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any] = ()
) -> None:
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def write_bundle(folder: Path, encoder_dim: int = DIM) -> Path:
    folder.mkdir(exist_ok=True)
    write_encoder(folder / "image.fp32.onnx", encoder_dim)
    shutil.copy(folder / "image.fp32.onnx", folder / "audio.fp32.onnx")
    (folder / "fusion.onnx").write_bytes(b"fusion")
    (folder / "labels.npz").write_bytes(b"labels")

    def encoder(file: str) -> dict[str, Any]:
        return {
            "precisions": {"fp32": BundleFile.describe(folder, file)},
            "input": {"name": "signal", "shape": list(INPUT_SHAPE), "dtype": "float32"},
            "preprocessing": {"size": 4},
            "metrics": {"accuracy": 0.5},
        }

    manifest = Manifest.model_validate(
        {
            "format_version": 1,
            "name": "tiny",
            "space": {"id": "test/tiny/1", "dim": DIM},
            "encoders": {"image": encoder("image.fp32.onnx"), "audio": encoder("audio.fp32.onnx")},
            "fusion": {
                **BundleFile.describe(folder, "fusion.onnx"),
                "modalities": ["image", "audio"],
                "max_sensors": 4,
            },
            "labels": BundleFile.describe(folder, "labels.npz"),
            "calibration": {"scale_by_count": [14.0, 11.0], "unknown_threshold": 0.4},
            "provenance": {"data": [{"name": "made up", "licence": "CC0-1.0"}], "tools": {"onnx": "1"}},
        }
    )
    (folder / "bundle.yaml").write_text(manifest.to_yaml())
    return folder


@pytest.fixture
def bundle_folder(tmp_path):
    return write_bundle(tmp_path / "tiny")


@pytest.fixture
def tiny():
    """The functions above, for tests that need another model or bundle."""
    return SimpleNamespace(dim=DIM, save=save, write_encoder=write_encoder, write_bundle=write_bundle)


STAND_INS = Path(__file__).parents[1] / "engines" / "tensorrt" / "stand_ins"


class Robot:
    """A machine with a pretended GPU and TensorRT, for this process and for its children."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cache: Path, release: str) -> None:
        self._monkeypatch = monkeypatch
        self.log = cache / "builds.log"
        monkeypatch.setenv("OMNIBIND_CACHE", str(cache))
        monkeypatch.setenv("STRICT_TENSORRT_LOG", str(self.log))
        paths = [str(STAND_INS / "path"), str(STAND_INS), str(Path(__file__).parents[2])]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
        self.become(release)

    def become(self, release: str = "10.3", **gpu: Any) -> None:
        """Another TensorRT, or another GPU."""
        self._monkeypatch.setenv("STRICT_TENSORRT", release)
        self.gpu = strict_cuda.StrictGpu(**gpu)
        self.tensorrt = strict_tensorrt.make_tensorrt(release, self.gpu)
        self._monkeypatch.setitem(sys.modules, "tensorrt", self.tensorrt)
        self._monkeypatch.setitem(sys.modules, "pycuda", ModuleType("pycuda"))
        self._monkeypatch.setitem(sys.modules, "pycuda.driver", self.gpu.driver)
        library = strict_cuda.StrictLibcuda(self.gpu)
        self._monkeypatch.setattr(cuda_graph, "driver_library", lambda: library)

    def fault(self, kind: str) -> None:
        self._monkeypatch.setenv("STRICT_TENSORRT_FAULT", kind)

    @property
    def builds(self) -> list[str]:
        """Names of the ONNX files that were built so far."""
        return [line.split()[1] for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def robot(monkeypatch, tmp_path):
    return Robot(monkeypatch, tmp_path / "cache", "10.3")


@pytest.fixture(params=strict_tensorrt.VERSIONS)
def any_robot(request, monkeypatch, tmp_path):
    """A robot of each version."""
    return Robot(monkeypatch, tmp_path / "cache", request.param)
