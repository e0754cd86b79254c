"""CUDA graphs: a whole inference, copies included, handed to the GPU by one call instead of dozens.

PyCUDA has no graphs; these are the five functions of the driver API that are needed
(https://docs.nvidia.com/cuda/cuda-driver-api, "Graph Management" and "Stream Management").
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

from omnibind_ros.errors import BackendError

# Other threads of the process may do with CUDA what they like while we capture.
_CAPTURE_MODE_THREAD_LOCAL = 1


class CudaGraph:
    """What a stream was asked to do once, to be done again and again; used while the GPU is `active`."""

    def __init__(self, stream: int, enqueue: Callable[[], None]) -> None:
        """Capture what `enqueue` asks of the stream, which does none of it yet.

        Args:
            stream: handle of the stream.

        Raises:
            BackendError: something in it cannot be captured; the stream works as before.
        """
        self._stream = ctypes.c_void_p(stream)
        self._call("cuStreamBeginCapture_v2", self._stream, ctypes.c_int(_CAPTURE_MODE_THREAD_LOCAL))
        graph = ctypes.c_void_p()
        try:
            enqueue()
        except BaseException:
            # A capture that failed must still be ended, whatever that returns.
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
        """Hand it to the stream."""
        self._call("cuGraphLaunch", self._executable, self._stream)

    def free(self) -> None:
        self._call("cuGraphExecDestroy", self._executable)

    @staticmethod
    def _call(function: str, *arguments: Any) -> None:
        status = getattr(driver_library(), function)(*arguments)
        if status != 0:
            raise BackendError(f"{function} failed with CUDA error {status}")


@cache
def driver_library() -> Any:
    """libcuda, which PyCUDA has loaded already.

    Raises:
        BackendError: it is not there.
    """
    try:
        return ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise BackendError(f"the CUDA driver library cannot be loaded: {error}") from error
