"""CUDA graphs: one call launches a whole inference, including copies, instead of dozens of calls.

PyCUDA has no graphs; these are the five functions of the driver API that are needed
(https://docs.nvidia.com/cuda/cuda-driver-api, "Graph Management" and "Stream Management").
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

from omnibind_ros.errors import BackendError

# Other threads of the process may use CUDA during the capture.
_CAPTURE_MODE_THREAD_LOCAL = 1


class CudaGraph:
    """Recorded work of a stream that can be launched repeatedly; used while the GPU is `active`."""

    def __init__(self, stream: int, enqueue: Callable[[], None]) -> None:
        """Capture the work that `enqueue` puts on the stream, without executing it.

        Args:
            stream: handle of the stream.

        Raises:
            BackendError: an operation cannot be captured; the stream can still be used.
        """
        self._stream = ctypes.c_void_p(stream)
        self._call("cuStreamBeginCapture_v2", self._stream, ctypes.c_int(_CAPTURE_MODE_THREAD_LOCAL))
        graph = ctypes.c_void_p()
        try:
            enqueue()
        except BaseException:
            # A failed capture must be ended too; the status does not matter.
            driver_library().cuStreamEndCapture(self._stream, ctypes.byref(graph))
            raise
        self._call("cuStreamEndCapture", self._stream, ctypes.byref(graph))
        self._executable = ctypes.c_void_p()
        try:
            self._call(
                "cuGraphInstantiateWithFlags", ctypes.byref(self._executable), graph, ctypes.c_ulonglong(0)
            )
        finally:
            self._call("cuGraphDestroy", graph)

    def launch(self) -> None:
        """Put the work on the stream."""
        self._call("cuGraphLaunch", self._executable, self._stream)

    def free(self) -> None:
        """Destroy the graph."""
        self._call("cuGraphExecDestroy", self._executable)

    @staticmethod
    def _call(function: str, *arguments: Any) -> None:
        status = getattr(driver_library(), function)(*arguments)
        if status != 0:
            raise BackendError(f"{function} failed with CUDA error {status}")


@cache
def driver_library() -> Any:
    """libcuda, which PyCUDA has already loaded.

    Raises:
        BackendError: it cannot be loaded.
    """
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise BackendError(f"the CUDA driver library cannot be loaded: {error}") from error
