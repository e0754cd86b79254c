"""Encoders by backend and precision, in one run on the same inputs.

Every contender of a modality is a process that stays open; they take turns, a few dozen inferences at a time,
so that whatever else the machine does meanwhile hits all of them alike.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.errors import BackendError
from omnibind_ros.host.bench.contender import Contender
from omnibind_ros.host.bench.machine import Machine, environment
from omnibind_ros.host.data.scene import SIMULATORS
from omnibind_ros.modalities.preprocessor import make_preprocessor
from omnibind_ros.process.child import run_code, run_main

_INPUTS = 16
_TURN = 25  # inferences before the next contender has its turn
_SETTLED = 3  # turns that are not counted
_SAME = 0.98  # cosine above which two embeddings of the same input are by the same model


@dataclass(frozen=True)
class Result:
    """What one contender costs.

    Attributes:
        name: e.g. `onnxruntime fp32`.
        p50_ms, p99_ms: time of one inference, batch of one.
        per_s: inferences a second, one after the other.
        peak_mb: most memory its process had resident.
        cold_start_s: from the start of the process to the first embedding.
    """

    modality: str
    name: str
    p50_ms: float
    p99_ms: float
    per_s: float
    peak_mb: float
    cold_start_s: float


@dataclass(frozen=True)
class Absence:
    """A contender that could not take part, and why."""

    modality: str
    name: str
    reason: str


def contenders(
    bundle: Bundle, modality: str, run: Path | None, threads: int
) -> Iterator[Contender | Absence]:
    """Who could take part here; the two that others are compared with come first."""

    def contender(kind: str, precision: str = "") -> Contender:
        return Contender(kind, precision, str(bundle.folder), modality, threads, "", str(run or ""))

    if run is None or find_spec("torch") is None:
        missing = (
            "torch is not installed" if run else "torch runs a training run's students: --run runs/digits"
        )
        yield Absence(modality, "torch", missing)
    elif not (run / "final" / modality / "student.pt").is_file():
        yield Absence(modality, "torch", f"no {run / 'final' / modality / 'student.pt'}")
    else:
        yield from (contender("torch"), contender("torch.compile"))
        if _has_cuda():
            yield contender("torch.cuda")
    precisions = bundle.manifest.encoders[modality].precisions
    for precision in ("fp32", "u8s8"):
        if precision in precisions:
            yield contender("onnxruntime", precision)
        else:
            reason = "not in the bundle: omnibind quantize"
            yield Absence(modality, f"onnxruntime {precision}", reason)
    if find_spec("tensorrt"):
        yield from (contender("tensorrt", p) for p in ("fp32", "fp16", "int8") if p in precisions)


def measure_encoder(
    bundle: Bundle, modality: str, *, run: Path | None = None, threads: int = 1, repeat: int = 300
) -> list[Result | Absence]:
    """Measure all contenders of one modality on `repeat` inferences each."""
    found = list(contenders(bundle, modality, run, threads))
    results: list[Result | Absence] = [one for one in found if isinstance(one, Absence)]
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        inputs = Path(folder) / "inputs.npy"
        np.save(inputs, _inputs(bundle, modality))
        running = []
        for one in found:
            if isinstance(one, Contender):
                try:
                    running.append(stack.enter_context(_Process(replace(one, inputs=str(inputs)))))
                except BackendError as error:
                    results.append(Absence(modality, _name(one), str(error)))
        for turn in range(_SETTLED + -(-repeat // _TURN)):
            for process in running:
                process.run(_TURN, count=turn >= _SETTLED)
        for process in running:
            cosine = float(process.first @ running[-1].first)
            if cosine < _SAME:
                reason = f"embeds otherwise (cosine {cosine:.3f}): is it of the same training run?"
                results.append(Absence(modality, process.name, reason))
            else:
                results.append(process.result())
    return results


def floors_of(bundle: Bundle, modality: str, machine: Machine) -> dict[str, float]:
    """Least milliseconds of each contender on the CPU, by its name; none without the module `onnx`."""
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
    if kind not in SIMULATORS:
        return rng.normal(size=(_INPUTS, *model.input.shape)).astype(model.input.dtype)
    adaptor = make_preprocessor(modality, preprocessing)
    return np.stack([adaptor.prepare(SIMULATORS[kind](i % 10, rng)) for i in range(_INPUTS)])


def _name(contender: Contender) -> str:
    names = {"torch": "torch eager", "torch.cuda": "torch CUDA"}
    return names.get(contender.kind, f"{contender.kind} {contender.precision}".strip())


def _has_cuda() -> bool:
    """Asked in a process of its own: torch takes seconds and hundreds of megabytes."""
    asks = run_code("import torch; sys.exit(not torch.cuda.is_available())")
    return subprocess.run(asks, capture_output=True).returncode == 0


class _Process:
    """One contender's process."""

    def __init__(self, contender: Contender) -> None:
        self.name = _name(contender)
        self._modality = contender.modality
        self._seconds: list[float] = []
        self._peak_mb = float("nan")
        started = replace(contender, started=time.monotonic())
        self._process = subprocess.Popen(
            run_main("omnibind_ros.host.bench.contender", started.to_json()),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(contender.threads),
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
        answer: dict[str, Any] = json.loads(line) if line else {"error": "its process died"}
        if "error" in answer:
            raise BackendError(answer["error"])
        return answer
