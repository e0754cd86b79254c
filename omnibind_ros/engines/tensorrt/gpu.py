"""All that is asked of PyCUDA: the GPU's primary context, streams, pinned and device memory.

The primary context is the one that CUDA's runtime API, TensorRT and PyTorch use too. It is retained once a
process and current only inside `active()`, so that whoever else uses the GPU finds what was current before.
Another CUDA binding (NVIDIA's cuda-python) would replace this file and nothing else.
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

# CU_STREAM_NON_BLOCKING: other libraries' work on the default stream would break the capture of another.
_NON_BLOCKING = 1


def open_gpu() -> Gpu:
    """The first GPU, the same object in all of a process.

    Raises:
        BackendError: no PyCUDA, no driver, no GPU; says which.
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
        raise BackendError(f"no GPU that CUDA could use: {error}") from error


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
        """Retained when it is first needed: it takes much memory, and reading a GPU's name needs none."""
        return self._device.retain_primary_context()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Make the context current for this thread, and put back what was.

        Raises:
            BackendError: whatever CUDA refuses meanwhile.
        """
        try:
            self._context.push()
        except self._driver.Error as error:
            raise BackendError(f"CUDA on {self.name} gives no context: {error}") from error
        try:
            yield
        except self._driver.MemoryError as error:
            free, total = self._driver.mem_get_info()
            raise BackendError(
                f"out of GPU memory: {free >> 20} of {total >> 20} MiB are free on {self.name}; "
                "stop something else that uses it"
            ) from error
        except self._driver.Error as error:
            raise BackendError(f"CUDA on {self.name}: {error}") from error
        finally:
            self._driver.Context.pop()

    def stream(self) -> Stream:
        """A stream that waits for no other, the default one included; while `active`."""
        return Stream(self._driver.Stream(_NON_BLOCKING))

    def buffer(self, shape: tuple[int, ...], dtype: DTypeLike) -> Buffer:
        """Memory of one tensor; while `active`."""
        return Buffer(self._driver, shape, dtype)


class Stream:
    """Work that the GPU does in the order in which it was handed over."""

    def __init__(self, stream: Any) -> None:
        self.cuda = stream

    @property
    def handle(self) -> int:
        """The `cudaStream_t`."""
        return int(self.cuda.handle)

    def synchronize(self) -> None:
        """Wait until all is done; other Python threads run meanwhile."""
        self.cuda.synchronize()


class Buffer:
    """A tensor twice: pinned on the host, where the GPU copies it by itself, and on the device.

    Attributes:
        host: the array to write inputs into and read outputs from; valid until the buffer is freed.
        address: of the device memory.
    """

    def __init__(self, driver: Any, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._driver = driver
        self.host: NDArray[Any] = driver.pagelocked_empty(shape, np.dtype(dtype))
        self.host[...] = 0
        self._device = driver.mem_alloc(self.host.nbytes)
        self.address = int(self._device)

    def upload(self, stream: Stream) -> None:
        """Host to device, once the stream comes to it."""
        self._driver.memcpy_htod_async(self._device, self.host, stream.cuda)

    def download(self, stream: Stream) -> None:
        """Device to host, once the stream comes to it."""
        self._driver.memcpy_dtoh_async(self.host, self._device, stream.cuda)

    def free(self) -> None:
        """Give device memory back, while the GPU is `active`; the pinned array goes with its last user."""
        self._device.free()
