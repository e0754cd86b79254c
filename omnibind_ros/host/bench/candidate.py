"""One candidate of a benchmark in a process of its own, so that memory and cold start can be measured.

The argument is a `Candidate` as JSON. The process opens the encoder, embeds the first input and answers with
a line of JSON. Each line on its stdin is a number of inferences to run, which it answers with another line.
It ends at the end of its stdin.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Embed = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True)
class Candidate:
    """What the process runs.

    Attributes:
        kind: `onnxruntime`, `tensorrt`, `torch`, `torch.compile` or `torch.cuda`.
        precision: of the bundle's encoder; torch always runs float32.
        run: folder of the training run whose final students torch runs; "" for other kinds.
        inputs: .npy file of the model inputs [N, 1, ...].
        started: `time.monotonic()` before the process was started.
    """

    kind: str
    precision: str
    bundle: str
    modality: str
    threads: int
    inputs: str
    run: str = ""
    started: float = 0.0

    def to_json(self) -> str:
        return json.dumps(asdict(self))


def open_candidate(candidate: Candidate) -> Embed:
    """A function that embeds one input [1, ...] -> float32 [D]."""
    if candidate.kind.startswith("torch"):
        return _open_torch(candidate)
    from omnibind_ros.bundle.loading import Bundle
    from omnibind_ros.engines.engine import EngineOptions

    options = EngineOptions(candidate.kind, candidate.precision, candidate.threads)
    engine = Bundle.load(candidate.bundle).load_encoder(candidate.modality, options)
    name = engine.inputs[0].name
    return lambda one: np.asarray(engine.run({name: one})["embedding"][0])


def _open_torch(candidate: Candidate) -> Embed:
    import torch

    from omnibind_ros.bundle.loading import Bundle
    from omnibind_ros.host.models.student import Student
    from omnibind_ros.host.training.student_plans import usual_plan

    torch.set_num_threads(candidate.threads)
    bundle = Bundle.load(candidate.bundle)
    entry = bundle.manifest.encoders[candidate.modality]
    config = usual_plan(candidate.modality).student
    student: Any = Student(entry.input.shape[1:], bundle.space.dim, config)
    weights = Path(candidate.run) / "final" / candidate.modality / "student.pt"
    student.load_state_dict(torch.load(weights, weights_only=True))
    student = student.eval()
    device = "cuda" if candidate.kind == "torch.cuda" else "cpu"
    student = student.to(device)
    if candidate.kind == "torch.compile":
        student = torch.compile(student)

    def embed(one: NDArray[Any]) -> NDArray[np.float32]:
        with torch.inference_mode():
            embedding: NDArray[np.float32] = student(torch.from_numpy(one).to(device))[0][0].cpu().numpy()
            return embedding

    return embed


def _serve(candidate: Candidate, answer: Callable[[dict[str, Any]], None]) -> None:
    inputs = np.load(candidate.inputs)
    embed = open_candidate(candidate)
    first = embed(inputs[0]).tolist()
    answer({"cold_start_s": time.monotonic() - candidate.started, "first": first})
    for line in sys.stdin:
        elapsed = np.empty(int(line))
        for i in range(len(elapsed)):
            one = inputs[i % len(inputs)]
            begun = time.perf_counter()
            embed(one)
            elapsed[i] = time.perf_counter() - begun
        answer({"seconds": elapsed.tolist(), "peak_mb": _peak_mb()})


def _peak_mb() -> float:
    """Largest resident memory of this process so far, 10^6 bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


def main() -> None:
    # Compilers and libraries print to stdout: answers get a copy of it, and stdout becomes stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    try:
        _serve(Candidate(**json.loads(sys.argv[1])), answer)
    except Exception as error:
        answer({"error": " ".join(f"{type(error).__name__}: {error}".split())[:200]})
