"""All uses of PyCUDA: the GPU's primary context, streams, pinned and device memory.

CUDA's runtime API, TensorRT and PyTorch use the primary context too. It is retained once per process and is
current only inside `active()`, so that other users of the GPU keep their current context. Another CUDA
binding (NVIDIA's cuda-python) would replace only this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from omnibind_ros.errors import BackendError

# CU_STREAM_NON_BLOCKING: work of other libraries on the default stream would break a capture.
_NON_BLOCKING = 1


def open_gpu() -> Gpu:
    """The first GPU; one object per process.

    Raises:
        BackendError: no PyCUDA, driver or GPU; names which.
    """
    try:
        driver = import_module("pycuda.driver")
    except ModuleNotFoundError as error:
        raise BackendError(
            f"TensorRT needs PyCUDA, and the Python module {error.name!r} is missing: pip install pycuda"
        ) from error
    except ImportError as error:
        raise BackendError(f"the NVIDIA driver cannot be loaded: {error}") from error
    return _retained(driver)


@cache
def _retained(driver: Any) -> Gpu:
    try:
        driver.init()
        return Gpu(driver, driver.Device(0))
    except driver.Error as error:
        raise BackendError(f"no usable GPU: {error}") from error


class Gpu:
    """One GPU and its primary context; any thread may use it.

    Attributes:
        name: e.g. `Orin`.
        compute_capability: e.g. `8.7`.
    """

    def __init__(self, driver: Any, device: Any) -> None:
        self.name: str = device.name()
        self.compute_capability = ".".join(map(str, device.compute_capability()))
        self._driver, self._device = driver, device

    @cached_property
    def _context(self) -> Any:
        """Retained on first use, because it needs much memory; the GPU's name does not need it."""
        return self._device.retain_primary_context()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the context current for this thread, and restore the previous one afterwards.

        Raises:
            BackendError: a CUDA error.
        """
        try:
            self._context.push()
        except self._driver.Error as error:
            raise BackendError(f"CUDA on {self.name} cannot create a context: {error}") from error
        try:
            yield
        except self._driver.MemoryError as error:
            free, total = self._driver.mem_get_info()
            raise BackendError(
                f"out of GPU memory: {free >> 20} of {total >> 20} MiB are free on {self.name}; "
                "stop other processes that use it"
            ) from error
        except self._driver.Error as error:
            raise BackendError(f"CUDA on {self.name}: {error}") from error
        finally:
            self._driver.Context.pop()

    def stream(self) -> Stream:
        """A stream that does not wait for the default stream; while `active`."""
        return Stream(self._driver.Stream(_NON_BLOCKING))

    def buffer(self, shape: tuple[int, ...], dtype: DTypeLike) -> Buffer:
        """Host and device memory of one tensor; while `active`."""
        return Buffer(self._driver, shape, dtype)


class Stream:
    """A queue of work on the GPU."""

    def __init__(self, stream: Any) -> None:
        self.cuda = stream

    @property
    def handle(self) -> int:
        """The `cudaStream_t`."""
        return int(self.cuda.handle)

    def synchronize(self) -> None:
        """Wait until all work is done; releases the GIL."""
        self.cuda.synchronize()


class Buffer:
    """A tensor in pinned host memory, which the GPU can copy asynchronously, and in device memory.

    Attributes:
        host: array for inputs and outputs; valid until the buffer is freed.
        address: address of the device memory.
    """

    def __init__(self, driver: Any, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._driver = driver
        self.host: NDArray[Any] = driver.pagelocked_empty(shape, np.dtype(dtype))
        self.host[...] = 0
        self._device = driver.mem_alloc(self.host.nbytes)
        self.address = int(self._device)

    def upload(self, stream: Stream) -> None:
        """Enqueue the copy from host to device."""
        self._driver.memcpy_htod_async(self._device, self.host, stream.cuda)

    def download(self, stream: Stream) -> None:
        """Enqueue the copy from device to host."""
        self._driver.memcpy_dtoh_async(self.host, self._device, stream.cuda)

    def free(self) -> None:
        """Free the device memory, while the GPU is `active`; the array is freed with its last reference."""
        self._device.free()
