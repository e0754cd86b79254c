"""A pretended GPU behind `pycuda.driver` and the graph functions of libcuda, as strict as the real ones.

Names, arguments and rules are those of PyCUDA (src/wrapper/wrap_cudadrv.cpp of
https://github.com/inducer/pycuda) and of the CUDA driver API: nothing works before `init` or without a
current context, freed or foreign memory is refused, an asynchronous copy takes pinned memory, and nothing
that was asked of a stream has happened before it was waited for. Device memory is `StrictGpu.memory`.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

ALIGNMENT = 256
STREAM_CAPTURE_INVALIDATED = 901


class StrictGpu:
    def __init__(
        self, name: str = "Orin", capability: tuple[int, int] = (8, 7), total: int = 8 << 30, count: int = 1
    ) -> None:
        self.name, self.capability, self.total, self.count = name, capability, total, count
        self.memory: dict[int, bytearray] = {}
        self.pinned: set[int] = set()
        self.leaked: list[str] = []
        self.streams: dict[int, Any] = {}
        self.graphs: dict[int, list[Callable[[], None]]] = {}
        self.launches = 0
        self.retained = 0
        self.dla_cores = 2
        self._thread = threading.local()
        self._next = 0x7F00_0000_0000
        self.driver = _driver(self)

    @property
    def contexts(self) -> list[Any]:
        """Of this thread, the current one last."""
        return self._thread.__dict__.setdefault("contexts", [])

    def need_context(self, function: str) -> None:
        if not self.contexts:
            raise self.driver.LogicError(f"{function} failed: invalid device context")

    def freed(self, what: str) -> None:
        """PyCUDA leaks what is freed where its context is not current."""
        if not self.contexts:
            self.leaked.append(what)

    def handle(self) -> int:
        self._next += 0x1000
        return self._next

    def allocate(self, size: int) -> int:
        if size <= 0:
            raise self.driver.LogicError("cuMemAlloc failed: invalid argument")
        if size + sum(map(len, self.memory.values())) > self.total:
            raise self.driver.MemoryError("cuMemAlloc failed: out of memory")
        self._next += (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT
        address = (self._next + 0xFFFF) // ALIGNMENT * ALIGNMENT
        self._next = address + size
        self.memory[address] = bytearray(size)
        return address

    def view(self, address: int, size: int) -> memoryview:
        """Device memory that is there and large enough."""
        block = self.memory.get(address)
        if block is None or len(block) < size:
            raise self.driver.LogicError("an illegal memory access was encountered")
        return memoryview(block)[:size]

    def enqueue(self, handle: int, work: Callable[[], None]) -> None:
        stream = self.streams[handle]
        (stream.captured if stream.captured is not None else stream.waiting).append(work)


def _driver(gpu: StrictGpu) -> Any:
    """The module `pycuda.driver`."""
    driver: Any = ModuleType("pycuda.driver")

    class Error(Exception):
        pass

    class LogicError(Error):
        pass

    class MemoryError(Error):
        pass

    class RuntimeError(Error):
        pass

    state = {"initialised": False}

    def init(flags: int = 0) -> None:
        if not gpu.count:
            raise RuntimeError("cuInit failed: no CUDA-capable device is detected")
        state["initialised"] = True

    class Device:
        def __init__(self, number: int) -> None:
            if not state["initialised"]:
                raise LogicError("cuDeviceGet failed: initialization error")
            if number >= gpu.count:
                raise LogicError("cuDeviceGet failed: invalid device ordinal")

        @staticmethod
        def count() -> int:
            return gpu.count

        def name(self) -> str:
            return gpu.name

        def compute_capability(self) -> tuple[int, int]:
            return gpu.capability

        def retain_primary_context(self) -> Context:
            if gpu.total < 1 << 20:
                raise MemoryError("cuDevicePrimaryCtxRetain failed: out of memory")
            gpu.retained += 1
            return Context()

    class Context:
        def push(self) -> None:
            gpu.contexts.append(self)

        @staticmethod
        def pop() -> None:
            if not gpu.contexts:
                raise LogicError(
                    "context::pop failed: invalid device context - cannot pop non-current context"
                )
            gpu.contexts.pop()

        @staticmethod
        def get_current() -> Context | None:
            return gpu.contexts[-1] if gpu.contexts else None

    class Stream:
        def __init__(self, flags: int = 0) -> None:
            gpu.need_context("cuStreamCreate")
            self.waiting: list[Callable[[], None]] = []
            self.captured: list[Callable[[], None]] | None = None
            self.invalid = False
            self.handle = gpu.handle()
            gpu.streams[self.handle] = weakref.proxy(self)
            weakref.finalize(self, gpu.freed, "stream")

        def synchronize(self) -> None:
            gpu.need_context("cuStreamSynchronize")
            if self.captured is not None:
                self.invalid = True
                raise LogicError(
                    "cuStreamSynchronize failed: operation not permitted when stream is capturing"
                )
            waiting, self.waiting = self.waiting, []
            for work in waiting:
                work()

    class DeviceAllocation:
        def __init__(self, size: int) -> None:
            self._address = gpu.allocate(size)

        def __int__(self) -> int:
            return self._address

        def free(self) -> None:
            gpu.need_context("cuMemFree")
            if gpu.memory.pop(self._address, None) is None:
                raise LogicError("device_allocation::free failed: invalid resource handle")

    def mem_alloc(size: int, /) -> DeviceAllocation:
        gpu.need_context("cuMemAlloc")
        return DeviceAllocation(size)

    def mem_get_info() -> tuple[int, int]:
        gpu.need_context("cuMemGetInfo")
        return gpu.total - sum(map(len, gpu.memory.values())), gpu.total

    def pagelocked_empty(shape: Any, dtype: Any, order: str = "C", mem_flags: int = 0) -> np.ndarray:
        gpu.need_context("cuMemHostAlloc")
        array = np.full(shape, 7, dtype, order)
        gpu.pinned.add(array.ctypes.data)
        weakref.finalize(array, gpu.freed, "pinned memory")
        return array

    def copy(device: Any, host: Any, stream: Any, upload: bool) -> None:
        gpu.need_context("cuMemcpyAsync")
        if not isinstance(device, (DeviceAllocation, int)) or not isinstance(host, np.ndarray):
            raise TypeError("Python argument types did not match C++ signature")
        if not isinstance(stream, Stream):
            raise TypeError("stream argument is no Stream: this copy would not wait its turn")
        if host.ctypes.data not in gpu.pinned:
            raise LogicError("cuMemcpyAsync: not pinned, so the copy is neither asynchronous nor capturable")
        address = int(device)
        gpu.view(address, host.nbytes)

        def work() -> None:
            there = np.frombuffer(gpu.view(address, host.nbytes), host.dtype).reshape(host.shape)
            np.copyto(*((there, host) if upload else (host, there)))

        gpu.enqueue(stream.handle, work)

    def memcpy_htod_async(dest: Any, src: Any, stream: Any = None) -> None:
        copy(dest, src, stream, upload=True)

    def memcpy_dtoh_async(dest: Any, src: Any, stream: Any = None) -> None:
        copy(src, dest, stream, upload=False)

    public = (
        Error, LogicError, MemoryError, RuntimeError, Device, Context, Stream, DeviceAllocation,
        init, mem_alloc, mem_get_info, pagelocked_empty, memcpy_htod_async, memcpy_dtoh_async,
    )  # fmt: skip
    vars(driver).update({thing.__name__: thing for thing in public})
    return driver


class StrictLibcuda:
    """The graph functions, called as through ctypes: status returned, results by reference."""

    def __init__(self, gpu: StrictGpu) -> None:
        self._gpu = gpu

    def cuStreamBeginCapture_v2(self, stream: ctypes.c_void_p, mode: ctypes.c_int) -> int:  # noqa: N802
        self._gpu.need_context("cuStreamBeginCapture")
        assert mode.value in (0, 1, 2)
        captured = self._stream(stream)
        if captured.captured is not None:
            return 1
        captured.captured, captured.invalid = [], False
        return 0

    def cuStreamEndCapture(self, stream: ctypes.c_void_p, graph: Any) -> int:  # noqa: N802
        captured = self._stream(stream)
        work, captured.captured = captured.captured, None
        if captured.invalid:
            return STREAM_CAPTURE_INVALIDATED
        graph._obj.value = self._gpu.handle()
        self._gpu.graphs[graph._obj.value] = work
        return 0

    def cuGraphInstantiateWithFlags(  # noqa: N802
        self, executable: Any, graph: ctypes.c_void_p, flags: ctypes.c_ulonglong
    ) -> int:
        assert flags.value == 0
        executable._obj.value = self._gpu.handle()
        self._gpu.graphs[executable._obj.value] = self._gpu.graphs[graph.value or 0]
        return 0

    def cuGraphLaunch(self, executable: ctypes.c_void_p, stream: ctypes.c_void_p) -> int:  # noqa: N802
        self._gpu.need_context("cuGraphLaunch")
        self._gpu.launches += 1
        for work in self._gpu.graphs[executable.value or 0]:
            self._gpu.enqueue(stream.value or 0, work)
        return 0

    def cuGraphDestroy(self, graph: ctypes.c_void_p) -> int:  # noqa: N802
        del self._gpu.graphs[graph.value or 0]
        return 0

    def cuGraphExecDestroy(self, executable: ctypes.c_void_p) -> int:  # noqa: N802
        del self._gpu.graphs[executable.value or 0]
        return 0

    def _stream(self, handle: ctypes.c_void_p) -> Any:
        return self._gpu.streams[handle.value or 0]
