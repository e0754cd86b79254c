"""Peak performance of this machine: arithmetic and memory, measured, and the features of its CPU."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from omnibind_ros.errors import BackendError
from omnibind_ros.process.child import run_main

_FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8", "asimddp", "i8mm")
_GEMM = 768  # side of the matrices, which about fit the second-level cache
_FAR, _NEAR = 64 << 20, 512 << 10  # bytes to copy: far larger than the caches, and within them
_ATTEMPTS = 25
_ERRORS_ONLY = 3


@dataclass(frozen=True)
class Machine:
    """Peak performance with a number of threads.

    Attributes:
        cpu, features: name of the CPU, and its instructions for vectors and bytes, from /proc/cpuinfo.
        gflops: float32 matrix products, 10^9 operations per second; a multiply-add counts as two.
        gops_8bit: the same of uint8 x int8 matrix products; None if it cannot be measured.
        gbytes: memory read and written, 10^9 bytes per second.
        gbytes_cached: the same within the caches, where the data of a small model stays between runs.
    """

    cpu: str
    features: tuple[str, ...]
    threads: int
    gflops: float
    gops_8bit: float | None
    gbytes: float
    gbytes_cached: float

    def or_better(self, again: Machine) -> Machine:
        """The larger of two measurements of each peak, because other load only makes it smaller."""
        return replace(
            self,
            gflops=max(self.gflops, again.gflops),
            gops_8bit=max(filter(None, (self.gops_8bit, again.gops_8bit)), default=None),
            gbytes=max(self.gbytes, again.gbytes),
            gbytes_cached=max(self.gbytes_cached, again.gbytes_cached),
        )

    @property
    def multiplies_bytes(self) -> bool:
        """Whether the CPU has instructions for 8 bit products (VNNI, AMX, or ARM's dot products)."""
        return bool({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"} & set(self.features))


def measure_machine(threads: int = 1) -> Machine:
    """Measure the peaks in a few seconds, in another process: NumPy reads its number of threads only once.

    Raises:
        BackendError: the process failed.
    """
    command = run_main("omnibind_ros.host.bench.machine", threads)
    done = subprocess.run(command, env=environment(threads), capture_output=True, text=True)
    if done.returncode != 0:
        raise BackendError(
            f"cannot measure the machine: {(done.stderr.strip().splitlines() or ['no output'])[-1]}"
        )
    found = json.loads(done.stdout)
    return Machine(**{**found, "features": tuple(found["features"])})


def environment(threads: int) -> dict[str, str]:
    """Environment of a process whose libraries use that many threads."""
    return {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}


def _measure(threads: int) -> Machine:
    a, b = np.ones((2, _GEMM, _GEMM), np.float32)
    out = np.empty_like(a)
    operations = 2 * _GEMM**3
    name, features = _cpu()
    return Machine(
        name,
        features,
        threads,
        operations / _best(lambda: np.matmul(a, b, out=out)) / 1e9,
        _gops_8bit(threads),
        _copied_gbytes(_FAR),
        _copied_gbytes(_NEAR),
    )


def _copied_gbytes(size: int) -> float:
    source, target = np.ones((2, size), np.uint8)
    return 2 * size / _best(lambda: np.copyto(target, source)) / 1e9


def _gops_8bit(threads: int) -> float | None:
    try:
        import onnxruntime as ort
        from onnx import TensorProto, helper, numpy_helper
    except ModuleNotFoundError:
        return None
    shape = [_GEMM, _GEMM]
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["c"])],
        "gemm",
        [helper.make_tensor_value_info("a", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("c", TensorProto.INT32, shape)],
        [numpy_helper.from_array(np.ones(shape, np.int8), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    session: Any = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    inputs = {"a": np.ones(shape, np.uint8)}
    return 2 * _GEMM**3 / _best(lambda: session.run(None, inputs)) / 1e9


def _best(work: Callable[[], object]) -> float:
    """Shortest duration of several runs in seconds: other load only makes runs slower."""
    elapsed = []
    for _ in range(_ATTEMPTS):
        begun = perf_counter()
        work()
        elapsed.append(perf_counter() - begun)
    return min(elapsed)


def _cpu() -> tuple[str, tuple[str, ...]]:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine(), ()
    fields = {
        key.strip().lower(): value.strip()
        for key, _, value in (line.partition(":") for line in text.splitlines())
    }
    has = set(fields.get("flags", fields.get("features", "")).split())
    name = fields.get("model name", platform.machine())
    return name, tuple(feature for feature in _FEATURES if feature in has)


def main() -> None:
    """Print the peaks with as many threads as the argument states, as JSON."""
    sys.stdout.write(json.dumps(asdict(_measure(int(sys.argv[1])))))
