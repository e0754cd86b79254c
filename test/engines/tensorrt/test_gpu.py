"""PyCUDA's part on a real GPU, wherever there is one."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from omnibind_ros.engines.tensorrt.cuda_graph import CudaGraph
from omnibind_ros.engines.tensorrt.gpu import open_gpu
from omnibind_ros.errors import BackendError


@pytest.fixture
def gpu():
    try:
        return open_gpu()
    except BackendError as error:
        pytest.skip(str(error))


def copied(gpu, values: np.ndarray, through_graph: bool = False) -> np.ndarray:
    """The values, sent to the device and fetched again."""
    import pycuda.driver as cuda

    with gpu.active():
        stream, source, target = gpu.stream(), gpu.buffer(values.shape, "f4"), gpu.buffer(values.shape, "f4")

        def enqueue() -> None:
            source.upload(stream)
            cuda.memcpy_dtod_async(target.address, source.address, values.nbytes, stream.cuda)
            target.download(stream)

        source.host[...] = values
        if through_graph:
            graph = CudaGraph(stream.handle, enqueue)
            stream.synchronize()
            assert not target.host.any(), "capturing must not do the work"
            graph.launch()
        else:
            enqueue()
        stream.synchronize()
        result = target.host.copy()
        if through_graph:
            graph.free()
        source.free()
        target.free()
    return result


@pytest.mark.parametrize("through_graph", [False, True])
def test_there_and_back(gpu, through_graph):
    values = np.random.default_rng(0).normal(size=(64, 1000)).astype(np.float32)
    np.testing.assert_array_equal(copied(gpu, values, through_graph), values)


def test_from_several_threads(gpu):
    wrong: list[int] = []

    def work(number: int) -> None:
        if not (copied(gpu, np.full((256,), number, np.float32)) == number).all():
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_memory_is_given_back_and_the_context_too(gpu):
    import pycuda.driver as cuda

    assert cuda.Context.get_current() is None
    with gpu.active():
        free = cuda.mem_get_info()[0]
        buffer = gpu.buffer((64 << 20,), "u1")
        assert cuda.mem_get_info()[0] <= free - (60 << 20)
        buffer.free()
        assert cuda.mem_get_info()[0] >= free - (4 << 20)
    assert cuda.Context.get_current() is None


def test_too_much_memory_is_one_clear_line(gpu):
    import pycuda.driver as cuda

    with pytest.raises(BackendError, match=r"out of GPU memory: \d+ of \d+ MiB are free on"), gpu.active():
        cuda.mem_alloc(1 << 50)


def test_torch_shares_the_context(gpu):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    ours = np.arange(1000, dtype=np.float32)
    theirs = torch.arange(1000, device="cuda").float()
    np.testing.assert_array_equal(copied(gpu, ours), ours)
    np.testing.assert_array_equal((theirs * 2).cpu().numpy(), ours * 2)
