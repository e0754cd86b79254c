"""What a fusion step and the label bank cost by number of labels, on one thread.

    python benchmarks/fusion_step.py

Eight live sensors, D = 384, the fusion model of a bundle, random class centres, one per label. Times are the
fastest and the median of many runs.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import typer

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion
from omnibind_ros.fusion.core import FusionCore
from omnibind_ros.types import Embedding

SENSORS = 8
NOW = 1_700_000_000_000_000_000


def cost(run: Callable[[], object], repeat: int) -> str:
    """Fastest and median, ms."""
    times = []
    for _ in range(repeat):
        begun = perf_counter()
        run()
        times.append(perf_counter() - begun)
    return f"{1e3 * min(times):.3f}, {1e3 * float(np.median(times)):.3f}"


def random_units(rng: np.random.Generator, count: int, dim: int) -> np.ndarray:
    rows = rng.standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def main(
    bundle: Annotated[str, typer.Option(help="Whose fusion model to run.")] = "digits",
    labels: Annotated[str, typer.Option(help="Numbers of labels.")] = "10,1000,10000,100000",
    repeat: Annotated[int, typer.Option(min=1)] = 300,
) -> None:
    loaded, rng = Bundle.load(bundle), np.random.default_rng(0)
    entry, dim = loaded.manifest.fusion, loaded.space.dim
    print("| labels | load, ms | step, ms | of it model, ms | similarity, ms |")
    print("|---:|---:|---:|---:|---:|")
    for count in map(int, labels.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "labels.npz"
            names = tuple(f"label {k}" for k in range(count))
            file.write_bytes(LabelBank(names, random_units(rng, count, dim)[:, None]).to_npz())
            load = cost(partial(LabelBank.load, file), 3)
            bank = LabelBank.load(file)
        fusion = AdaptiveFusion(
            loaded.load_fusion().run, entry.modalities, entry.max_sensors, bank.class_centres
        )
        fusion.warm_up()
        core = FusionCore(fusion, bank, loaded.manifest.calibration, loaded.space)
        shown = random_units(rng, SENSORS, dim)
        live = [
            Embedding(
                f"sensor_{k}", entry.modalities[k % len(entry.modalities)], vector, NOW, loaded.space.tag
            )
            for k, vector in enumerate(shown)
        ]
        for embedding in live:
            core.update(embedding, NOW)
        step = cost(partial(core.step, NOW), repeat)
        model = cost(partial(fusion.fuse, live), repeat)
        similarity = cost(partial(bank.similarity, shown[0]), repeat)
        print(f"| {count} | {load} | {step} | {model} | {similarity} |")


if __name__ == "__main__":
    typer.run(main)
