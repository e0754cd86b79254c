"""A TensorRT plan that a worker process builds; see plan_worker.py."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import monotonic

from omnibind_ros.engines.tensorrt.build import BuildProgress
from omnibind_ros.engines.tensorrt.plan import PlanOptions
from omnibind_ros.errors import BackendError
from omnibind_ros.process.child import bound_to_us, ending, run_main


def worker_command(onnx_path: Path, options: PlanOptions) -> tuple[str, ...]:
    """The command line of the worker."""
    module = "omnibind_ros.engines.tensorrt.plan_worker"
    return run_main(module, onnx_path, json.dumps(asdict(options)))


class PlanBuild:
    """One build, from construction to `close`.

    The worker is killed when the *thread* that constructs this object ends; that thread should call `wait`.
    """

    def __init__(self, onnx_path: Path, options: PlanOptions) -> None:
        self.progress = BuildProgress("starting")
        self._onnx_path = onnx_path
        self._begun = monotonic()
        self._process = subprocess.Popen(
            bound_to_us(worker_command(onnx_path, options)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    @property
    def status(self) -> str:
        """Progress and elapsed time as text, e.g. `43 % (Building engine), 35 s`."""
        phase, percent = self.progress
        progress = phase if percent is None else f"{percent} % ({phase})"
        return f"{progress}, {monotonic() - self._begun:.0f} s"

    def wait(self, report: Callable[[BuildProgress], None] = lambda progress: None) -> Path:
        """Wait for the plan.

        Args:
            report: called with the progress.

        Returns:
            Path of the plan.

        Raises:
            BackendError: the build failed; with the reason.
        """
        assert self._process.stdout is not None
        failed = ""
        with self._process.stdout as lines:
            for line in lines:
                news = json.loads(line)
                if "built" in news:
                    self._process.wait()
                    return Path(news["built"])
                if "failed" in news:
                    failed = news["failed"]
                    continue
                self.progress = BuildProgress(**news)
                report(self.progress)
        status = self._process.wait()
        advice = "; it may have run out of memory" if status < 0 else ""
        raise BackendError(failed or f"the builder of {self._onnx_path.name}: {ending(status)}{advice}")

    def close(self) -> None:
        """Kill the worker if it still builds; it leaves nothing behind. Idempotent, from any thread."""
        self._process.kill()
        self._process.wait()
