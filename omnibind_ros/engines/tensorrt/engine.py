"""TensorRT: runs a plan that was built on the same GPU; see plan.py and build.py.

One inference: copy the input into pinned memory; upload, kernels and download on a stream of its own; wait.
All shapes are static, so that upload, kernels and download are captured as one CUDA graph if possible.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.engines.engine import Engine, EngineOptions, TensorSpec, check_inputs
from omnibind_ros.engines.tensorrt.cuda_graph import CudaGraph
from omnibind_ros.engines.tensorrt.gpu import Buffer, Gpu, open_gpu
from omnibind_ros.engines.tensorrt.log import make_log
from omnibind_ros.engines.tensorrt.plan import PlanCache, PlanKey, PlanMissing
from omnibind_ros.engines.tensorrt.versions import TensorRT, load_tensorrt
from omnibind_ros.errors import BackendError

_DTYPES = {
    "FLOAT": np.float32,
    "HALF": np.float16,
    "INT8": np.int8,
    "INT32": np.int32,
    "INT64": np.int64,
    "UINT8": np.uint8,
    "BOOL": np.bool_,
}

log = logging.getLogger(__name__)


def open_engine(onnx_path: Path, options: EngineOptions) -> Engine:
    """Load the plan of a model.

    Raises:
        PlanMissing: TensorRT is available, but the plan is not built yet.
        BackendError: no TensorRT, PyCUDA or GPU, or the plan cannot be loaded.
    """
    tensorrt, gpu, cache = load_tensorrt(), open_gpu(), PlanCache()
    key = PlanKey.of(
        onnx_path,
        options.plan,
        gpu=gpu.name,
        compute_capability=gpu.compute_capability,
        tensorrt=tensorrt.version,
    )
    plan = cache.load(key)
    try:
        return TensorRTEngine(tensorrt, gpu, plan, onnx_path.stem, options.plan.dla_core)
    except _PlanRefused as error:
        cache.discard(key)
        raise PlanMissing(f"{error}; run `omnibind build` to build it again") from error


class _PlanRefused(BackendError):
    """TensorRT cannot deserialise the plan."""


class TensorRTEngine:
    """One plan with its buffers, stream and graph; see `Engine`."""

    def __init__(
        self, tensorrt: TensorRT, gpu: Gpu, plan: memoryview, name: str, dla_core: int | None = None
    ) -> None:
        where = gpu.name if dla_core is None else f"{gpu.name} DLA {dla_core}"
        self.backend = f"tensorrt {tensorrt.version} {where}"
        self._name, self._gpu, self._log = name, gpu, make_log(tensorrt.api)
        self._buffers: dict[str, Buffer] = {}
        self._graph: CudaGraph | None = None
        self._context: Any = None
        self._stream: Any = None
        try:
            with gpu.active():
                self._runtime = tensorrt.api.Runtime(self._log)
                if dla_core is not None:
                    self._runtime.DLA_core = dla_core
                self._engine = self._runtime.deserialize_cuda_engine(plan)
                if self._engine is None:
                    raise _PlanRefused(f"TensorRT refuses the plan of {name}: {self._log.complaints()}")
                self._context = self._engine.create_execution_context()
                if self._context is None:
                    raise BackendError(f"TensorRT cannot run {name}: {self._log.complaints()}")
                mode = tensorrt.api.TensorIOMode
                self.inputs = self._tensors(mode.INPUT)
                self.outputs = self._tensors(mode.OUTPUT)
                self._stream = gpu.stream()
        except BackendError:
            self.close()
            raise
        self._input_buffers = {spec.name: self._buffers[spec.name] for spec in self.inputs}
        self._results = {spec.name: self._buffers[spec.name].host for spec in self.outputs}

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        if self._context is None:
            raise BackendError(f"the engine of {self._name} is closed")
        check_inputs(self.inputs, inputs)
        for name, buffer in self._input_buffers.items():
            np.copyto(buffer.host, inputs[name])
        with self._gpu.active():
            if self._graph is None:
                self._enqueue()
            else:
                self._graph.launch()
            self._stream.synchronize()
        return self._results

    def warm_up(self) -> None:
        zeros = {spec.name: spec.zeros() for spec in self.inputs}
        # The first run allocates memory and loads kernels, which cannot be captured.
        self.run(zeros)
        if self._graph is not None:
            return
        try:
            with self._gpu.active():
                self._graph = CudaGraph(self._stream.handle, self._enqueue)
            self.run(zeros)
        except BackendError as error:
            log.info("%s runs without a CUDA graph: %s", self._name, error)
            self._graph = None
            self.run(zeros)

    def close(self) -> None:
        with self._gpu.active():
            if self._graph is not None:
                self._graph.free()
            self._graph = self._context = self._engine = self._runtime = None
            # PyCUDA frees streams and pinned memory only while their context is current.
            self._stream, self._input_buffers, self._results = None, {}, {}
            while self._buffers:
                self._buffers.popitem()[1].free()

    def _tensors(self, mode: Any) -> tuple[TensorSpec, ...]:
        """Specs of the inputs or outputs; allocates their buffers."""
        names = [self._engine.get_tensor_name(index) for index in range(self._engine.num_io_tensors)]
        return tuple(self._bound(name) for name in names if self._engine.get_tensor_mode(name) == mode)

    def _bound(self, name: str) -> TensorSpec:
        dtype, shape = self._engine.get_tensor_dtype(name).name, tuple(self._engine.get_tensor_shape(name))
        if dtype not in _DTYPES:
            raise BackendError(f"{self._name}: {name!r} is a {dtype}; use one of {', '.join(_DTYPES)}")
        if any(length < 0 for length in shape):
            raise BackendError(
                f"{self._name}: {name!r} has a dynamic axis, shape {list(shape)}; use backend onnxruntime"
            )
        buffer = self._buffers[name] = self._gpu.buffer(shape, _DTYPES[dtype])
        if not self._context.set_tensor_address(name, buffer.address):
            raise BackendError(f"TensorRT refuses the buffer of {name!r}: {self._log.complaints()}")
        return TensorSpec(name, shape, np.dtype(_DTYPES[dtype]))

    def _enqueue(self) -> None:
        for spec in self.inputs:
            self._buffers[spec.name].upload(self._stream)
        if not self._context.execute_async_v3(self._stream.handle):
            raise BackendError(f"TensorRT failed on {self._name}: {self._log.complaints()}")
        for spec in self.outputs:
            self._buffers[spec.name].download(self._stream)
