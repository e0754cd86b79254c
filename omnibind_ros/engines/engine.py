"""An engine runs one model. Backends differ in speed, not in results.

    onnxruntime   everywhere: on the CPU, or through CUDA if ONNX Runtime was built with it
    tensorrt      on an NVIDIA GPU, from a plan that was built on the same GPU
    auto          tensorrt if it and the plan are available, else onnxruntime; the log has the reason

A backend is a module with a function `open_engine(onnx_path: Path, options: EngineOptions) -> Engine`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.engines.tensorrt.plan import PlanOptions
from omnibind_ros.errors import BackendError, ConfigError
from omnibind_ros.names import nearest

BACKENDS = ("tensorrt", "onnxruntime")
"""In the order of preference of `auto`."""

_MODULES = {
    "tensorrt": "omnibind_ros.engines.tensorrt.engine",
    "onnxruntime": "omnibind_ros.engines.onnxruntime",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TensorSpec:
    """Name, shape and dtype of an input or output.

    Attributes:
        shape: length of each axis; the name of an axis whose length may differ from run to run.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: np.dtype[Any]

    @property
    def is_static(self) -> bool:
        """No axis is dynamic."""
        return all(isinstance(length, int) for length in self.shape)

    def zeros(self) -> NDArray[Any]:
        """Zeros of this shape and dtype; dynamic axes have length 1."""
        shape = tuple(length if isinstance(length, int) else 1 for length in self.shape)
        return np.zeros(shape, self.dtype)

    def takes(self, array: NDArray[Any]) -> bool:
        """Whether an array has this shape and dtype; a dynamic axis may have any length but 0."""
        if array.dtype != self.dtype or array.ndim != len(self.shape):
            return False
        return array.shape == self.shape or all(
            length == actual if isinstance(length, int) else actual > 0
            for length, actual in zip(self.shape, array.shape, strict=True)
        )

    @property
    def form(self) -> str:
        """Dtype and shape for people, e.g. `float32 [classes, 384]`."""
        return f"{self.dtype} [{', '.join(map(str, self.shape))}]"

    def __str__(self) -> str:
        return f"{self.name}: {self.form}"


@dataclass(frozen=True)
class EngineOptions:
    """How a model is run.

    Attributes:
        backend: `onnxruntime`, `tensorrt`, or `auto`: the first of `BACKENDS` that works here.
        precision: which of a bundle's models, e.g. `fp16`; None = the bundle's default for the backend.
        threads: CPU threads of one inference.
        provider: execution provider of ONNX Runtime: `cpu`, `cuda`, `tensorrt`, or `auto`: CUDA if available,
            else the CPU.
        build: if a TensorRT plan is missing, an encoder starts on ONNX Runtime and builds the plan in the
            `background`; or `never`.
        workspace_mb, dla_core: see `PlanOptions`.
    """

    backend: str = "auto"
    precision: str | None = None
    threads: int = 1
    provider: str = "auto"
    build: Literal["background", "never"] = "never"
    workspace_mb: int = PlanOptions.workspace_mb
    dla_core: int | None = None

    @property
    def plan(self) -> PlanOptions:
        """How TensorRT builds its plan."""
        return PlanOptions(self.precision or PlanOptions.precision, self.workspace_mb, self.dla_core)


DEFAULT_OPTIONS = EngineOptions()


class Engine(Protocol):
    """A loaded model with pre-allocated buffers. Only one thread at a time may use it."""

    @property
    def backend(self) -> str:
        """Name for logs and diagnostics, e.g. `onnxruntime 1.20 CPU, 1 thread`."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Run the model once.

        Args:
            inputs: one array of the shape and dtype of each of `self.inputs`. Its values are read during
                the call only.

        Returns:
            The outputs by name, in buffers that the next `run` overwrites.

        Raises:
            BackendError: an input is missing, unknown or malformed, or the backend failed.
        """

    def warm_up(self) -> None:
        """Run once on zeros, with dynamic axes of length 1, so that the first sample is not the slow one."""

    def close(self) -> None:
        """Free the model; the engine cannot be used afterwards."""


def load_engine(
    onnx_path: str | Path | Callable[[str], Path], options: EngineOptions = DEFAULT_OPTIONS
) -> Engine:
    """Load an ONNX model.

    Args:
        onnx_path: the model, or a function from the backend to its model.

    Raises:
        ConfigError: unknown backend; names the nearest.
        PlanMissing: `tensorrt` is available, but there is no plan of this model yet.
        BackendError: the backend is not available or cannot load the model.
    """
    path_for = onnx_path if callable(onnx_path) else lambda backend: Path(onnx_path)
    backend = options.backend
    if backend == "auto":
        return _first_that_works(path_for, options)
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend {backend!r}{nearest(backend, ('auto', *BACKENDS))}")
    engine = _open(backend, path_for(backend), options)
    log.info("%s runs on %s, as configured", path_for(backend).name, engine.backend)
    return engine


def check_inputs(specs: tuple[TensorSpec, ...], inputs: Mapping[str, NDArray[Any]]) -> None:
    """Check the inputs of a model; every backend calls this.

    Raises:
        BackendError: names the input, the expected and the actual shape and dtype.
    """
    for spec in specs:
        array = inputs.get(spec.name)
        if array is None:
            raise BackendError(f"input {spec.name!r} is missing; got {', '.join(inputs) or 'none'}")
        if not spec.takes(array):
            given = TensorSpec(spec.name, array.shape, array.dtype)
            raise BackendError(f"input {spec.name!r} must be {spec.form}, got {given.form}")
    if len(inputs) > len(specs):
        known = [spec.name for spec in specs]
        unknown = next(name for name in inputs if name not in known)
        raise BackendError(f"the model has no input {unknown!r}{nearest(unknown, known)}")


def _first_that_works(path_for: Callable[[str], Path], options: EngineOptions) -> Engine:
    refusals: list[str] = []
    for backend in BACKENDS:
        try:
            engine = _open(backend, path_for(backend), options)
        except BackendError as error:
            refusals.append(str(error))
            continue
        because = f" ({'; '.join(refusals)})" if refusals else ""
        log.info("%s runs on %s%s", path_for(backend).name, engine.backend, because)
        return engine
    raise BackendError("; ".join(refusals))


def _open(backend: str, path: Path, options: EngineOptions) -> Engine:
    module = import_module(_MODULES[backend])
    opened: Engine = module.open_engine(path, options)
    return opened
