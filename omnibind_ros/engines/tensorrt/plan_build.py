"""A plan being built by a worker process, as seen by whoever waits for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from time import monotonic

from omnibind_ros.engines.tensorrt.build import BuildProgress
from omnibind_ros.engines.tensorrt.plan import PlanOptions
from omnibind_ros.errors import BackendError

WORKER = "omnibind_ros.engines.tensorrt.plan_worker"


class PlanBuild:
    """One build, from its making to `close`.

    The worker dies with the *thread* that makes this object, which therefore should be the one that waits.
    """

    def __init__(self, onnx_path: Path, options: PlanOptions) -> None:
        self.progress = BuildProgress("starting")
        self._onnx_path = onnx_path
        self._begun = monotonic()
        command = [
            sys.executable,
            "-m",
            WORKER,
            str(onnx_path),
            json.dumps(asdict(options)),
            str(os.getpid()),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    @property
    def status(self) -> str:
        """For people, e.g. `43 % (Building engine), 35 s`."""
        phase, percent = self.progress
        how_far = phase if percent is None else f"{percent} % ({phase})"
        return f"{how_far}, {monotonic() - self._begun:.0f} s"

    def wait(self, report: Callable[[BuildProgress], None] = lambda progress: None) -> Path:
        """Wait for the plan.

        Args:
            report: told of progress.

        Returns:
            Path of the plan.

        Raises:
            BackendError: why there is none.
        """
        assert self._process.stdout is not None
        failed = ""
        with self._process.stdout as said:
            for line in said:
                news = json.loads(line)
                if "built" in news:
                    self._process.wait()
                    return Path(news["built"])
                if "failed" in news:
                    failed = news["failed"]
                    continue
                self.progress = BuildProgress(**news)
                report(self.progress)
        raise BackendError(failed or f"the builder of {self._onnx_path.name} {_ending(self._process.wait())}")

    def close(self) -> None:
        """End it if it still builds. Nothing of it stays. Idempotent, from any thread."""
        self._process.kill()
        self._process.wait()


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    return f"was killed by {signal.Signals(-status).name}; it may have run out of memory"
