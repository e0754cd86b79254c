"""An engine runs one model. Backends differ in speed, never in what they compute.

A backend is a module `<backend>_engine.py` beside this one with
`open_engine(onnx_path: Path, *, threads: int) -> Engine`; nothing else knows it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.core.errors import BackendError, ConfigError
from omnibind_ros.core.names import nearest

BACKENDS = ("tensorrt", "onnxruntime")
"""In the order in which `auto` tries them."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TensorSpec:
    """Name, static shape and dtype of an input or output."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype} {list(self.shape)}"


class Engine(Protocol):
    """A loaded model with fixed, pre-allocated buffers. One thread at a time may use it."""

    @property
    def backend(self) -> str:
        """What runs it, for logs and diagnostics, e.g. `onnxruntime 1.20 CPU, 1 thread`."""

    @property
    def inputs(self) -> tuple[TensorSpec, ...]: ...

    @property
    def outputs(self) -> tuple[TensorSpec, ...]: ...

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Run the model once.

        Args:
            inputs: one array of exactly the shape and dtype of each of `self.inputs`; copied, not kept.

        Returns:
            The outputs by name, in buffers that the next `run` overwrites: copy what you keep.

        Raises:
            BackendError: missing, unknown or ill-formed input, or the backend failed.
        """

    def warm_up(self) -> None:
        """Run once on zeros, so that the first sample is not the slow one."""

    def close(self) -> None:
        """Free the model; the engine cannot be used any more."""


def load_engine(onnx_path: str | Path, *, backend: str = "auto", threads: int = 1) -> Engine:
    """Load an ONNX model.

    Args:
        backend: `onnxruntime`, `tensorrt`, or `auto`: the first of `BACKENDS` that works here.
        threads: CPU threads of one inference.

    Raises:
        ConfigError: unknown backend; names the nearest.
        BackendError: the backend is not there or cannot load the model.
    """
    path = Path(onnx_path)
    if backend == "auto":
        return _first_that_works(path, threads)
    if backend not in BACKENDS:
        raise ConfigError(f"unknown backend {backend!r}{nearest(backend, ('auto', *BACKENDS))}")
    engine = _open(backend, path, threads)
    log.info("%s runs on %s, as asked for", path.name, engine.backend)
    return engine


def check_inputs(specs: tuple[TensorSpec, ...], inputs: Mapping[str, NDArray[Any]]) -> None:
    """Refuse what a model does not take; every backend calls this.

    Raises:
        BackendError: names the input, what it needs and what it got.
    """
    for spec in specs:
        array = inputs.get(spec.name)
        if array is None:
            raise BackendError(f"input {spec.name!r} is missing; got {', '.join(inputs) or 'none'}")
        if array.shape != spec.shape or array.dtype != spec.dtype:
            raise BackendError(
                f"input {spec.name!r} must be {spec.dtype} {list(spec.shape)}, "
                f"got {array.dtype} {list(array.shape)}"
            )
    if len(inputs) > len(specs):
        known = [spec.name for spec in specs]
        unknown = next(name for name in inputs if name not in known)
        raise BackendError(f"the model has no input {unknown!r}{nearest(unknown, known)}")


def _first_that_works(path: Path, threads: int) -> Engine:
    refusals: list[str] = []
    for backend in BACKENDS:
        try:
            engine = _open(backend, path, threads)
        except BackendError as error:
            refusals.append(str(error))
            continue
        because = f" ({'; '.join(refusals)})" if refusals else ""
        log.info("%s runs on %s%s", path.name, engine.backend, because)
        return engine
    raise BackendError("; ".join(refusals))


def _open(backend: str, path: Path, threads: int) -> Engine:
    module = f"{__package__}.{backend}_engine"
    try:
        opened: Engine = import_module(module).open_engine(path, threads=threads)
    except ModuleNotFoundError as error:
        if error.name == module:
            raise BackendError(f"backend {backend!r} is not in this version of omnibind_ros") from error
        raise BackendError(f"backend {backend!r} needs the Python module {error.name!r}") from error
    return opened
