"""What adaptive fusion makes of what it never met: corruptions, and modalities.

    python benchmarks/fusion.py runs/digits --root ../shared/data

The split students of a run, on the test split. Corruptions: evidence heads and fusion are trained on one half
of the kinds of each modality and judged on the other half, and the other way round. Modalities: fusion is
trained without one, which then speaks through the generic token. `omnibind evaluate` measures all the rest.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import logging
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer

from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.data.simulated import simulated_recordings
from omnibind_ros.host.data.splits import select
from omnibind_ros.host.evaluation.comparison import ADAPTIVE, Outcomes, compare
from omnibind_ros.host.evaluation.comparison_tables import accuracies
from omnibind_ros.host.evaluation.pools import Pool, make_pool
from omnibind_ros.host.evaluation.rules import static_rules
from omnibind_ros.host.evaluation.sensor_sets import SensorSets
from omnibind_ros.host.models.adaptive_fusion import AdaptiveFusionModel
from omnibind_ros.host.models.evidence import EvidenceEncoder
from omnibind_ros.host.training.evidence import embedder, train_evidence
from omnibind_ros.host.training.fit import Execution
from omnibind_ros.host.training.fusion import FusionPlan, fuse, train_fusion
from omnibind_ros.host.training.run import TrainingRun
from omnibind_ros.modalities.definition import Corrupt, load
from omnibind_ros.modalities.registry import definition, make_preprocessor

MOST = 200
"""Recordings of a modality and split."""

PER_CLASS = 4
SIMULATED = 25


class Bench:
    """Pools of one run, for whatever kinds of corruption training may meet."""

    def __init__(self, run: TrainingRun, seed: int) -> None:
        self.run, self.seed = run, seed
        self.modalities = tuple(m for m in run.recipe.modalities if run.recordings(m))
        self.centres = run.centres

    def trained_on(self, kinds: dict[str, list[int]] | None) -> tuple[dict[str, Pool], dict[str, Pool]]:
        """Pools of the dev split (those kinds) and of the test split (all kinds)."""
        dev, test = {}, {}
        for modality in self.modalities:
            own = None if kinds is None else kinds[modality]
            encoder, adaptor = self._encoder(modality, own), make_preprocessor(modality)
            names, all_kinds = self.run.recipe.label_names, len(_corruptions(modality))
            dev[modality] = make_pool(
                embedder(encoder), adaptor, self._some(modality, "dev"), names, kinds=own, seed=self.seed
            )
            test[modality] = make_pool(
                embedder(encoder),
                adaptor,
                self._some(modality, "test"),
                names,
                versions=5 * all_kinds,
                seed=self.seed,
            )
        return dev, test

    def judge(
        self,
        model: AdaptiveFusionModel,
        ids: list[int],
        test: dict[str, Pool],
        keep: Callable[[Outcomes], bool],
    ) -> dict[str, float]:
        """Error of each rule, one sensor corrupted, over the outcomes to keep."""

        def adaptive(sets: SensorSets) -> tuple[np.ndarray, np.ndarray]:
            fused, weights = fuse(model, sets, ids, self.centres)
            return fused @ self.centres.T, weights

        outcomes = compare(
            test,
            test,
            adaptive,
            static_rules(self.centres),
            clean_per_class=1,
            bad_per_class=PER_CLASS,
            seed=self.seed,
        )
        judged = [o for o in outcomes if o.condition == "corrupted" and keep(o)]
        return {rule: 1 - accuracy for rule, accuracy in accuracies(judged).items()}

    def train(self, pools: dict[str, Pool], names: tuple[str, ...]) -> AdaptiveFusionModel:
        """Fusion of the modalities `names`."""
        return train_fusion(pools, names, self.centres, FusionPlan(), seed=self.seed, progress=False)

    def _some(self, modality: str, split: Literal["dev", "test"]) -> list:
        known = [
            r for r in select(self.run.recordings(modality), self.run.recipe, split) if r.label is not None
        ]
        few = [known[i] for i in np.random.default_rng(self.seed).permutation(len(known))[:MOST]]
        return few + self._simulated(modality, 1) if split == "dev" else few

    def _simulated(self, modality: str, seed: int) -> list:
        recipe = self.run.recipe.model_copy(update={"simulated": {modality: SIMULATED}})
        return simulated_recordings(recipe, modality, seed)

    def _encoder(self, modality: str, kinds: list[int] | None) -> EvidenceEncoder:
        if kinds is None:
            return self.run.encoder(modality, "split")
        student = self.run.student(modality, "split")
        recordings = select(self.run.recordings(modality), self.run.recipe, "train")
        head = train_evidence(
            student,
            make_preprocessor(modality),
            recordings + self._simulated(modality, 0),
            self.run.recipe.label_names,
            self.centres,
            kinds=kinds,
        )
        return EvidenceEncoder(student, head).eval()


def show(title: str, errors: dict[str, float]) -> None:
    """One line: error % of each rule, and how many errors of the best static one are avoided."""
    best = min(error for rule, error in errors.items() if rule != ADAPTIVE)
    cut = 1 - errors[ADAPTIVE] / best if best else float("nan")
    print(
        f"{title}: " + ", ".join(f"{r} {100 * e:.2f}" for r, e in errors.items()) + f"; cut {100 * cut:.0f} %"
    )


def main(
    run_folder: Annotated[Path, typer.Argument(help="A run of `omnibind train all`.")],
    root: Annotated[Path, typer.Option(envvar="OMNIBIND_DATA", help="Folder of recordings.")],
    recipe: str = "digits",
    seed: int = 11,
) -> None:
    """Print the error of each rule, %."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    bench = Bench(
        TrainingRun(load_recipe(recipe), root, run_folder, execution=Execution(progress=False)), seed
    )
    names = bench.modalities
    ids = list(range(len(names) + 1))

    dev, test = bench.trained_on(None)
    full = bench.train(dev, names)
    for hidden in names:
        rest = tuple(m for m in names if m != hidden)
        model = bench.train({m: dev[m] for m in rest}, rest)
        own = [len(rest) if m == hidden else rest.index(m) for m in names]
        both = [
            bench.judge(m, i, test, lambda o, hidden=hidden: hidden in o.subset)
            for m, i in ((full, ids), (model, [*own, len(rest)]))
        ]
        best = min(error for rule, error in both[0].items() if rule != ADAPTIVE)
        kept = (best - both[1][ADAPTIVE]) / (best - both[0][ADAPTIVE])
        print(f"{hidden} hidden from fusion training: {100 * kept:.0f} % of the gain kept")
    show("all kinds known", bench.judge(full, ids, test, lambda o: True))

    for part in (0, 1):
        seen = {m: [k for k in range(1, len(_corruptions(m)) + 1) if k % 2 == part] for m in names}
        unseen = {m: {c.__name__ for k, c in enumerate(_corruptions(m), 1) if k % 2 != part} for m in names}
        dev, test = bench.trained_on(seen)
        model = bench.train(dev, names)
        for title, only in (("", names), (", without thermal", tuple(m for m in names if m != "thermal"))):

            def keep(o: Outcomes, only: tuple[str, ...] = only) -> bool:
                return o.kind in unseen[o.bad] and set(o.subset) <= set(only)  # noqa: B023

            show(f"half {part + 1} of the kinds never met{title}", bench.judge(model, ids, test, keep))


def _corruptions(modality: str) -> tuple[Corrupt, ...]:
    return load(definition(modality).corruptions) or ()


if __name__ == "__main__":
    typer.run(main)
