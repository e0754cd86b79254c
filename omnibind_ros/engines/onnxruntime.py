"""ONNX Runtime: on the CPU it works everywhere and needs nothing; on an NVIDIA GPU through CUDA or TensorRT.

What truly runs the model is asked of the session: ONNX Runtime goes on with the CPU, almost silently, when a
GPU provider cannot start.

Inputs are copied into bound buffers rather than passed with each call: faster for models of the size of
ours, and it costs one copy for large pictures. Inputs with a dynamic axis (the class centres of fusion) are
bound where they lie, without a copy, and bound again only when another array is given. Medians on one core:

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

from omnibind_ros.engines.engine import Engine, EngineOptions, TensorSpec, check_inputs
from omnibind_ros.engines.tensorrt.plan import PlanOptions, cache_folder
from omnibind_ros.errors import BackendError, ConfigError
from omnibind_ros.names import nearest

_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
}
_NAMES = {
    "CPUExecutionProvider": "CPU",
    "CUDAExecutionProvider": "CUDA",
    "TensorrtExecutionProvider": "TensorRT",
}

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


def open_engine(onnx_path: Path, options: EngineOptions) -> Engine:
    """Load a model.

    Raises:
        ConfigError: unknown provider.
        BackendError: ONNX Runtime cannot load it, an output has a dynamic axis, or it cannot start the
            requested provider.
    """
    return OnnxRuntimeEngine(onnx_path, options)


class OnnxRuntimeEngine:
    """One session with its bound buffers; see `Engine`."""

    def __init__(self, onnx_path: Path, options: EngineOptions) -> None:
        ort.disable_telemetry_events()
        self._path = onnx_path
        wanted = _wanted_providers(options.provider)
        try:
            self._session: Any = ort.InferenceSession(
                str(onnx_path),
                _session_options(options.threads),
                providers=[_PROVIDERS[name] for name in wanted],
                provider_options=[_provider_options(name, options.plan) for name in wanted],
            )
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            raise BackendError(f"ONNX Runtime cannot load {onnx_path}: {_one_line(error)}") from error
        runs_on = self._session.get_providers()[0]
        if options.provider not in ("auto", "cpu") and runs_on != _PROVIDERS[options.provider]:
            raise BackendError(
                f"ONNX Runtime has {_NAMES[_PROVIDERS[options.provider]]} but cannot start it; see its log"
            )
        self.backend = f"onnxruntime {ort.__version__} {_NAMES[runs_on]}"
        if runs_on == _PROVIDERS["cpu"]:
            self.backend += f", {options.threads} thread{'s' if options.threads > 1 else ''}"
        self.inputs = tuple(_spec(onnx_path, node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(onnx_path, node) for node in self._session.get_outputs())
        for spec in self.outputs:
            if not spec.is_static:
                raise BackendError(
                    f"{onnx_path}: output {spec} has a dynamic axis; export it with static ones"
                )
        self._input_buffers = {spec.name: spec.zeros() for spec in self.inputs if spec.is_static}
        self._in_place: dict[str, NDArray[Any]] = {}
        self._output_buffers = {spec.name: spec.zeros() for spec in self.outputs}
        self._binding = self._session.io_binding()
        for name, buffer in self._input_buffers.items():
            self._bind_input(name, buffer)
        for name, buffer in self._output_buffers.items():
            self._binding.bind_output(name, "cpu", 0, buffer.dtype, buffer.shape, buffer.ctypes.data)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        if self._session is None:
            raise BackendError(f"the engine of {self._path} is closed")
        check_inputs(self.inputs, inputs)
        for name, array in inputs.items():
            if name in self._input_buffers:
                np.copyto(self._input_buffers[name], array)
            elif array is not self._in_place.get(name):
                self._in_place[name] = array = np.ascontiguousarray(array)
                self._bind_input(name, array)
        return self._run_bound()

    def warm_up(self) -> None:
        self.run({spec.name: spec.zeros() for spec in self.inputs})

    def close(self) -> None:
        self._binding = self._session = None
        self._in_place.clear()

    def _bind_input(self, name: str, array: NDArray[Any]) -> None:
        self._binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def _run_bound(self) -> Mapping[str, NDArray[Any]]:
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:
            raise BackendError(f"ONNX Runtime failed on {self._path}: {_one_line(error)}") from error
        return self._output_buffers


def _wanted_providers(provider: str) -> list[str]:
    """Names of the providers to try, best first."""
    if provider not in ("auto", *_PROVIDERS):
        raise ConfigError(f"unknown provider {provider!r}{nearest(provider, ('auto', *_PROVIDERS))}")
    there = ort.get_available_providers()
    if provider == "auto":
        # TensorRT is not tried unasked: its provider would build for minutes before the first inference.
        return [name for name in ("cuda", "cpu") if _PROVIDERS[name] in there]
    if _PROVIDERS[provider] not in there:
        names = ", ".join(_NAMES[name] for name in there if name in _NAMES)
        raise BackendError(f"this ONNX Runtime has no {_NAMES[_PROVIDERS[provider]]}, only {names}")
    fallback = {"cpu": ["cpu"], "cuda": ["cuda", "cpu"], "tensorrt": ["tensorrt", "cuda", "cpu"]}
    return [name for name in fallback[provider] if _PROVIDERS[name] in there]


def _provider_options(name: str, plan: PlanOptions) -> dict[str, str]:
    if name != "tensorrt":
        return {}
    return {
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(cache_folder() / "onnxruntime"),
        "trt_timing_cache_enable": "1",
        "trt_max_workspace_size": str(plan.workspace_mb << 20),
        "trt_fp16_enable": str(int(plan.precision == "fp16")),
        "trt_int8_enable": str(int(plan.precision == "int8")),
    }


def _session_options(threads: int) -> ort.SessionOptions:
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
    if not all(isinstance(length, str) or (length or 0) > 0 for length in node.shape):
        raise BackendError(f"{onnx_path}: {node.name!r} has shape {node.shape}; name its dynamic axes")
    return TensorSpec(node.name, tuple(node.shape), np.dtype(_DTYPES[node.type]))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
