"""Is adaptive fusion worth it? Its error against static rules, on recordings that nothing was trained on.

    python benchmarks/fusion.py runs/digits --root ../shared/data

Sets of two or more sensors that show one class, drawn from the test split with the split students of a run;
clean, and with one sensor corrupted on the raw level (strength 0.1 to 1) or stuck on another class.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from omnibind_ros.data.recipe import load_recipe
from omnibind_ros.data.splits import select
from omnibind_ros.fusion.calibration import softmax
from omnibind_ros.sensors.adaptor import make_adaptor
from omnibind_ros.training.episodes import Episodes, draw_episodes
from omnibind_ros.training.fit import Machine
from omnibind_ros.training.pools import make_pool
from omnibind_ros.training.run import TrainingRun
from omnibind_ros.training.stage2 import fuse

SHARPNESS = 14.0
"""Of a single sensor's softmax, where a rule needs one: what fusion training starts from."""


def votes(episodes: Episodes, centres: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    """What each static rule scores, [B, K]."""
    cosines = episodes.embeddings.astype(np.float64) @ centres.T
    beliefs = softmax(SHARPNESS * cosines)
    live = episodes.mask[..., None]
    surest = (beliefs.max(axis=2) * episodes.mask).argmax(axis=1)
    return {
        "mean of embeddings": (cosines * live).sum(axis=1),
        "mean of probabilities": (beliefs * live).sum(axis=1),
        "most confident sensor": beliefs[np.arange(len(beliefs)), surest],
    }


def main(
    run_folder: Annotated[Path, typer.Argument(help="A run of `omnibind train all`.")],
    root: Annotated[Path, typer.Option(envvar="OMNIBIND_DATA", help="Folder of recordings.")],
    recipe: str = "digits",
    count: Annotated[int, typer.Option(help="Sets of sensors.")] = 6000,
    seed: int = 11,
) -> None:
    """Print the error of each rule, %."""
    run = TrainingRun(load_recipe(recipe), root, run_folder, machine=Machine(progress=False))
    model, _ = run.fusion()
    centres = run.anchors.centres
    with_recordings = [m for m in run.recipe.modalities if run.recordings(m)]
    pools = {
        m: make_pool(
            run.student(m, "split"),
            make_adaptor(m),
            [r for r in select(run.recordings(m), run.recipe, "test") if r.label is not None],
            run.recipe.label_names,
            seed=seed,
        )
        for m in with_recordings
    }
    ids = [*(run.recipe.modalities.index(m) for m in with_recordings), len(run.recipe.modalities)]
    conditions = {"clean": (0.0, 0.0), "one corrupted": (1.0, 0.0), "one stuck, of 3 or more": (1.0, 1.0)}
    print(" | ".join(["error %", *conditions]))
    errors: dict[str, list[float]] = {}
    for name, (bad_share, stuck_share) in conditions.items():
        episodes = draw_episodes(
            pools,
            count,
            len(pools),
            np.random.default_rng(seed),
            bad_share=bad_share,
            stuck_share=stuck_share,
            generic_share=0.0,
            repeat_share=0.0,
        )
        least = 3 if "3" in name else 2
        judged = (episodes.mask.sum(axis=1) >= least) & (episodes.bad.sum(axis=1) == bad_share)
        scores: dict[str, NDArray[np.floating]] = dict(votes(episodes, centres))
        scores["adaptive fusion"] = fuse(model, episodes, ids, centres)[0] @ centres.T
        for rule, score in scores.items():
            wrong = score.argmax(axis=1) != episodes.labels
            errors.setdefault(rule, []).append(100 * float(wrong[judged].mean()))
    for rule, row in errors.items():
        print(" | ".join([rule, *(f"{error:.2f}" for error in row)]))


if __name__ == "__main__":
    typer.run(main)
