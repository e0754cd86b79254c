"""What this machine can do at best: measured peaks of arithmetic and memory, and its CPU's features."""

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

_TELLING = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8", "asimddp", "i8mm")
_GEMM = 768  # side of the matrices: they fit the second level of caches, more or less
_FAR, _NEAR = 64 << 20, 512 << 10  # bytes to copy: far more than caches hold, and what lies in them
_ATTEMPTS = 25
_ERRORS_ONLY = 3


@dataclass(frozen=True)
class Machine:
    """Peaks with the given number of threads.

    Attributes:
        cpu: its name and what it has for vectors and bytes, as the kernel says.
        gflops: float32 matrix products, 10^9 operations a second; a multiply-add is two.
        gops_8bit: uint8 x int8 matrix products; None where it could not be measured.
        gbytes: memory read and written, 10^9 bytes a second.
        gbytes_cached: the same of what lies in the caches, as a small model does from one run to the next.
    """

    cpu: str
    features: tuple[str, ...]
    threads: int
    gflops: float
    gops_8bit: float | None
    gbytes: float
    gbytes_cached: float

    def or_better(self, again: Machine) -> Machine:
        """The better of two measurements: other work can only make a machine look slower."""
        return replace(
            self,
            gflops=max(self.gflops, again.gflops),
            gops_8bit=max(filter(None, (self.gops_8bit, again.gops_8bit)), default=None),
            gbytes=max(self.gbytes, again.gbytes),
            gbytes_cached=max(self.gbytes_cached, again.gbytes_cached),
        )

    @property
    def multiplies_bytes(self) -> bool:
        """Has the CPU instructions for products of bytes (VNNI, AMX, or ARM's dot products)?"""
        return bool({"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"} & set(self.features))


def measure_machine(threads: int = 1) -> Machine:
    """Measure the peaks, in a few seconds and a process of its own: NumPy reads once how many threads it has.

    Raises:
        BackendError: the process failed.
    """
    command = run_main("omnibind_ros.host.bench.machine", threads)
    done = subprocess.run(command, env=environment(threads), capture_output=True, text=True)
    if done.returncode != 0:
        raise BackendError(f"the machine cannot be measured: {done.stderr.strip().splitlines()[-1:]}")
    found = json.loads(done.stdout)
    return Machine(**{**found, "features": tuple(found["features"])})


def environment(threads: int) -> dict[str, str]:
    """The variables of a process in which libraries compute with that many threads."""
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
    """Shortest of some runs, seconds: others may use the machine, none makes it faster."""
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
    return name, tuple(feature for feature in _TELLING if feature in has)


def main() -> None:
    """Print the peaks with as many threads as the argument says, as JSON."""
    sys.stdout.write(json.dumps(asdict(_measure(int(sys.argv[1])))))
