"""Builds a TensorRT plan from an ONNX file, with progress; it takes seconds to many minutes.

Encoders and `omnibind build` do this in a process of its own: see plan_build.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from omnibind_ros.engines.tensorrt.gpu import open_gpu
from omnibind_ros.engines.tensorrt.log import make_log
from omnibind_ros.engines.tensorrt.plan import PlanCache, PlanKey, PlanOptions
from omnibind_ros.engines.tensorrt.versions import TensorRT, load_tensorrt
from omnibind_ros.errors import BackendError


class BuildProgress(NamedTuple):
    """The progress of a build.

    phase: TensorRT's name of the current phase.
    percent: 0 to 100; None if unknown (TensorRT 8.6 reports no progress).
    """

    phase: str
    percent: int | None = None


Report = Callable[[BuildProgress], None]


def build_plan(onnx_path: Path, options: PlanOptions, report: Report = lambda progress: None) -> Path:
    """The plan of a model for this machine; built if it is not in the cache.

    Args:
        report: called with the progress, on any thread.

    Returns:
        Path of the plan.

    Raises:
        BackendError: no TensorRT or GPU, an unsupported operator, too little memory or disk space; with
            TensorRT's message if there is one.
    """
    tensorrt, gpu, cache = load_tensorrt(), open_gpu(), PlanCache()
    key = PlanKey.of(
        onnx_path, options, gpu=gpu.name, compute_capability=gpu.compute_capability, tensorrt=tensorrt.version
    )
    with cache.building(lambda: report(BuildProgress("waiting for another build"))):
        try:
            cache.load(key)  # another process may have built it in the meantime
        except BackendError:
            with gpu.active():
                plan, timings = _build(tensorrt, onnx_path, options, cache.load_timings(key), report)
            cache.store_timings(key, timings)
            return cache.store(key, plan)
    return cache.path(key)


def _build(
    tensorrt: TensorRT, onnx_path: Path, options: PlanOptions, timings: bytes, report: Report
) -> tuple[memoryview, memoryview]:
    """Plan and kernel timings."""
    api, log = tensorrt.api, make_log(tensorrt.api)
    builder = api.Builder(log)
    config = builder.create_builder_config()
    network = tensorrt.create_network(builder, options)
    parser = api.OnnxParser(network, log)
    tensorrt.use_dla(builder, config, parser, options)
    if not parser.parse_from_file(str(onnx_path)):
        errors = [" ".join(parser.get_error(index).desc().split()) for index in range(parser.num_errors)]
        raise BackendError(f"TensorRT cannot read {onnx_path}: {'; '.join(errors) or log.complaints()}")
    _check_static(network, onnx_path)
    tensorrt.set_precision(network, config, options)
    config.set_memory_pool_limit(api.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    config.clear_flag(api.BuilderFlag.TF32)  # fp32 is not TF32
    cache = config.create_timing_cache(timings) or config.create_timing_cache(b"")
    config.set_timing_cache(cache, ignore_mismatch=False)
    report(BuildProgress("building", 0 if tensorrt.reports_progress else None))
    if tensorrt.reports_progress:
        monitor = _make_monitor(api, report)  # TensorRT does not keep it alive
        config.progress_monitor = monitor
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise BackendError(f"TensorRT cannot build {onnx_path.name}: {log.complaints()}")
    return memoryview(plan), memoryview(config.get_timing_cache().serialize())


def _check_static(network: Any, onnx_path: Path) -> None:
    """Plans here have static shapes, so that an inference can be one CUDA graph."""
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        if any(length < 0 for length in tensor.shape):
            raise BackendError(
                f"{onnx_path}: input {tensor.name!r} has a dynamic axis, shape {list(tensor.shape)}; "
                "use backend onnxruntime"
            )


def _make_monitor(api: Any, report: Report) -> Any:
    """An `IProgressMonitor` that turns nested phases into one monotonic percentage."""

    class Monitor(api.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            api.IProgressMonitor.__init__(self)
            self._phases: dict[str, _Phase] = {}
            self._lock = threading.Lock()
            self._percent = 0

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            with self._lock:
                self._phases[phase_name] = _Phase(parent_phase, num_steps)
            self._report(phase_name)

        def step_complete(self, phase_name: str, step: int) -> bool:
            with self._lock:
                if phase_name in self._phases:
                    self._phases[phase_name].done = step + 1
            self._report(phase_name)
            return True

        def phase_finish(self, phase_name: str) -> None:
            with self._lock:
                self._phases.pop(phase_name, None)

        def _report(self, phase_name: str) -> None:
            with self._lock:
                outermost = (name for name, phase in self._phases.items() if phase.parent not in self._phases)
                percent = int(100 * max(map(self._fraction, outermost), default=0.0))
                self._percent = max(self._percent, min(percent, 99))
            report(BuildProgress(phase_name, self._percent))

        def _fraction(self, name: str) -> float:
            phase = self._phases[name]
            inner = (self._fraction(child) for child, its in self._phases.items() if its.parent == name)
            return min(1.0, (phase.done + max(inner, default=0.0)) / phase.steps)

    return Monitor()


class _Phase:
    def __init__(self, parent: str | None, steps: int) -> None:
        self.parent, self.steps, self.done = parent, steps, 0
