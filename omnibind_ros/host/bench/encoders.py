"""Benchmark of encoders by backend and precision, on the same inputs.

Each candidate of a modality is a process of its own. They alternate, a few dozen inferences at a time, so
that other load on the machine affects all of them alike.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.errors import BackendError
from omnibind_ros.host.bench.candidate import Candidate
from omnibind_ros.host.bench.machine import Machine, environment
from omnibind_ros.host.bench.results import NotMeasured, Result
from omnibind_ros.host.data.scene import simulator
from omnibind_ros.modalities.registry import having, make_preprocessor
from omnibind_ros.process.child import run_code, run_main

_INPUTS = 16
_TURN = 25  # inferences before the next candidate continues
_WARM_UP = 3  # turns that are not measured
_SAME = 0.98  # least cosine of two precisions' embeddings of the same input


def candidates(
    bundle: Bundle, modality: str, run: Path | None, threads: int
) -> Iterator[Candidate | NotMeasured]:
    """The candidates on this machine, and those that cannot run; the baselines of comparisons come first."""

    def candidate(kind: str, precision: str = "") -> Candidate:
        return Candidate(kind, precision, str(bundle.folder), modality, threads, "", str(run or ""))

    if run is None or find_spec("torch") is None:
        missing = (
            "torch is not installed"
            if run
            else "torch needs the students of a training run: --run runs/digits"
        )
        yield NotMeasured(modality, "torch", missing)
    elif not (run / "final" / modality / "student.pt").is_file():
        yield NotMeasured(modality, "torch", f"no {run / 'final' / modality / 'student.pt'}")
    else:
        yield from (candidate("torch"), candidate("torch.compile"))
        if _has_cuda():
            yield candidate("torch.cuda")
    precisions = bundle.manifest.encoders[modality].precisions
    for precision in ("fp32", "u8s8"):
        if precision in precisions:
            yield candidate("onnxruntime", precision)
        else:
            reason = "not in the bundle; add it with: omnibind quantize"
            yield NotMeasured(modality, f"onnxruntime {precision}", reason)
    if find_spec("tensorrt"):
        yield from (candidate("tensorrt", p) for p in ("fp32", "fp16", "int8") if p in precisions)


def measure_encoder(
    bundle: Bundle, modality: str, *, run: Path | None = None, threads: int = 1, repeat: int = 300
) -> list[Result | NotMeasured]:
    """Measure all candidates of one modality on `repeat` inferences each.

    Args:
        run: folder of the training run whose students torch runs; None leaves torch out.
    """
    found = list(candidates(bundle, modality, run, threads))
    results: list[Result | NotMeasured] = [one for one in found if isinstance(one, NotMeasured)]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        inputs = Path(folder) / "inputs.npy"
        np.save(inputs, _inputs(bundle, modality))
        running = []
        for one in found:
            if isinstance(one, Candidate):
                try:
                    running.append(stack.enter_context(_Process(replace(one, inputs=str(inputs)))))
                except BackendError as error:
                    results.append(NotMeasured(modality, _name(one), str(error)))
        for turn in range(_WARM_UP + -(-repeat // _TURN)):
            for process in running:
                process.run(_TURN, count=turn >= _WARM_UP)
        for process in running:
            cosine = float(process.first @ running[-1].first)
            if cosine < _SAME:
                reason = f"its embeddings differ (cosine {cosine:.3f}); pass --run the bundle's training run"
                results.append(NotMeasured(modality, process.name, reason))
            else:
                results.append(process.result())
    return results


def floors_of(bundle: Bundle, modality: str, machine: Machine) -> dict[str, float]:
    """Least possible latency of each candidate on the CPU in ms, by name; empty without the module `onnx`."""
    if find_spec("onnx") is None:
        return {}
    from omnibind_ros.host.bench.model_cost import model_cost

    precisions = bundle.manifest.encoders[modality].precisions
    floors = {
        f"onnxruntime {precision}": model_cost(bundle.folder / precisions[precision].file).floor_ms(machine)
        for precision in ("fp32", "u8s8")
        if precision in precisions
    }
    if "onnxruntime fp32" in floors:
        floors["torch eager"] = floors["torch.compile"] = floors["onnxruntime fp32"]
    return floors


def _inputs(bundle: Bundle, modality: str) -> np.ndarray[Any, np.dtype[Any]]:
    model = bundle.encoder_model(modality, "fp32")
    preprocessing = dict(model.preprocessing)
    kind = str(preprocessing.get("adaptor", modality))
    rng = np.random.default_rng(0)
    if kind not in having("simulate"):
        return rng.normal(size=(_INPUTS, *model.input.shape)).astype(model.input.dtype)
    preprocessor = make_preprocessor(modality, preprocessing)
    simulate = simulator(kind)
    return np.stack([preprocessor.prepare(simulate(i % 10, rng)) for i in range(_INPUTS)])


def _name(candidate: Candidate) -> str:
    names = {"torch": "torch eager", "torch.cuda": "torch CUDA"}
    return names.get(candidate.kind, f"{candidate.kind} {candidate.precision}".strip())


def _has_cuda() -> bool:
    """Checked in another process: importing torch takes seconds and hundreds of megabytes."""
    command = run_code("import torch; sys.exit(not torch.cuda.is_available())")
    return subprocess.run(command, capture_output=True).returncode == 0


class _Process:
    """The process of one candidate."""

    def __init__(self, candidate: Candidate) -> None:
        self.name = _name(candidate)
        self._modality = candidate.modality
        self._seconds: list[float] = []
        self._peak_mb = float("nan")
        started = replace(candidate, started=time.monotonic())
        self._process = subprocess.Popen(
            run_main("omnibind_ros.host.bench.candidate", started.to_json()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(candidate.threads),
        )
        try:
            ready = self._answer()
        except BackendError:
            self.__exit__()
            raise
        self.first = np.array(ready["first"])
        self._cold_start_s = float(ready["cold_start_s"])

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()

    def run(self, times: int, count: bool) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{times}\n")
        self._process.stdin.flush()
        answer = self._answer()
        self._peak_mb = answer["peak_mb"]
        if count:
            self._seconds += answer["seconds"]

    def result(self) -> Result:
        p50, p99 = (1e3 * np.percentile(self._seconds, (50, 99))).tolist()
        per_s = len(self._seconds) / sum(self._seconds)
        return Result(self._modality, self.name, p50, p99, per_s, self._peak_mb, self._cold_start_s)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process ended"}
        if "error" in answer:
            raise BackendError(answer["error"])
        return answer
