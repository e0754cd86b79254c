"""ONNX Runtime on the CPU: works everywhere, needs nothing.

Inputs are copied into bound buffers rather than handed over with each call: faster for
models of the size of ours, and it costs one copy for large pictures. Medians on one core:

    model                      copy + bound   run()     bind anew each run
    matrix product, 64 floats      4.0 us     6.0 us      7.6 us
    small net, 1x28x28            15.2 us    17.9 us     19.2 us
    net, 3x64x64                   602 us     607 us      618 us
    net, 3x224x224                 919 us     867 us      883 us
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from omnibind_ros.core.errors import BackendError
from omnibind_ros.inference.engine import Engine, TensorSpec, check_inputs

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
_ERRORS_ONLY = 3


def open_engine(onnx_path: Path, *, threads: int = 1) -> Engine:
    """Load a model on the CPU.

    Raises:
        BackendError: ONNX Runtime cannot load it, or its shapes are not static.
    """
    return OnnxRuntimeEngine(onnx_path, threads)


class OnnxRuntimeEngine:
    """One session with its bound buffers; see `Engine`."""

    def __init__(self, onnx_path: Path, threads: int) -> None:
        ort.disable_telemetry_events()
        self._path = onnx_path
        try:
            self._session: Any = ort.InferenceSession(
                str(onnx_path), _options(threads), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            raise BackendError(f"ONNX Runtime cannot load {onnx_path}: {_one_line(error)}") from error
        self.backend = f"onnxruntime {ort.__version__} CPU, {threads} thread{'s' if threads > 1 else ''}"
        self.inputs = tuple(_spec(onnx_path, node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(onnx_path, node) for node in self._session.get_outputs())
        self._input_buffers = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in self.inputs}
        self._output_buffers = {spec.name: np.zeros(spec.shape, spec.dtype) for spec in self.outputs}
        self._binding = self._session.io_binding()
        for name, buffer in self._input_buffers.items():
            self._binding.bind_input(name, "cpu", 0, buffer.dtype, buffer.shape, buffer.ctypes.data)
        for name, buffer in self._output_buffers.items():
            self._binding.bind_output(name, "cpu", 0, buffer.dtype, buffer.shape, buffer.ctypes.data)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        if self._session is None:
            raise BackendError(f"the engine of {self._path} is closed")
        check_inputs(self.inputs, inputs)
        for name, buffer in self._input_buffers.items():
            np.copyto(buffer, inputs[name])
        return self._run_bound()

    def warm_up(self) -> None:
        self._run_bound()

    def close(self) -> None:
        self._binding = self._session = None

    def _run_bound(self) -> Mapping[str, NDArray[Any]]:
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed on {self._path}: {_one_line(error)}") from error
        return self._output_buffers


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Idle threads that spin would eat the cores of the other encoders.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _spec(onnx_path: Path, node: Any) -> TensorSpec:
    if node.type not in _DTYPES:
        raise BackendError(f"{onnx_path}: {node.name!r} is a {node.type}; use one of {', '.join(_DTYPES)}")
    if not all(isinstance(length, int) and length > 0 for length in node.shape):
        raise BackendError(
            f"{onnx_path}: {node.name!r} has shape {node.shape}; export the model with static shapes"
        )
    return TensorSpec(node.name, tuple(node.shape), np.dtype(_DTYPES[node.type]))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
