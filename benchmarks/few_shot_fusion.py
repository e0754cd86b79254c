"""What adaptive fusion is worth when ten recordings of each class have a label.

    omnibind train teacher digits --root DATA --out runs/few
    python benchmarks/few_shot_fusion.py runs/few --root DATA

For each seed, ten labelled recordings a class of every modality are drawn from the train split. Students are
trained on them with CAD (image with the words only: it is the teacher's own modality), evidence heads on
them, on augmented copies and on simulated recordings, which the students have not met, fusion on them alone.
All rules then judge the same sets of recordings of another split: every subset of two modalities or more,
clean, with one sensor corrupted on the raw level, with one stuck. The dev split is for choosing, `--split
test` for the end.

The teacher has seen all labelled pictures of the train split. Each student and each seed's scores are kept in
RUN/few_shot_10_15000: interrupted, the benchmark goes on where it stopped.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
import logging
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from omnibind_ros.host.data.recipe import TEACHER_MODALITIES, load_recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.simulated import simulated_recordings
from omnibind_ros.host.data.splits import select
from omnibind_ros.host.evaluation.comparison import ADAPTIVE, CONDITIONS, Outcomes, compare
from omnibind_ros.host.evaluation.comparison_tables import STEPS, accuracies
from omnibind_ros.host.evaluation.pools import Pool, make_pool
from omnibind_ros.host.evaluation.rules import best_single, static_rules
from omnibind_ros.host.evaluation.sensor_sets import SensorSets
from omnibind_ros.host.models.evidence import EvidenceHead
from omnibind_ros.host.models.student import Student
from omnibind_ros.host.training.ablation import WORDS, variants
from omnibind_ros.host.training.ablation_table import FULL
from omnibind_ros.host.training.evidence import embedder, train_evidence
from omnibind_ros.host.training.few_shot import FewShot
from omnibind_ros.host.training.files import load_weights, save_weights, write_atomically
from omnibind_ros.host.training.fit import Execution
from omnibind_ros.host.training.fusion import FusionPlan, fuse, train_fusion
from omnibind_ros.host.training.run import TrainingRun
from omnibind_ros.modalities.definition import load
from omnibind_ros.modalities.registry import definition

JUDGES = 10
"""Recordings of each class and modality that sets are drawn from, in the split that judges."""

COPIES, SIMULATED = 2, 5
"""What evidence heads learn from beside the labelled recordings: augmented copies of each, and simulated
recordings of each class."""

_IN_TRAINING = 8
"""Corrupted versions of each labelled recording that fusion learns from."""

CLEAN_PER_CLASS, BAD_PER_CLASS = 40, 4
"""Sets of each subset and class; bad ones for every sensor and kind of corruption."""

HEADLESS = "adaptive fusion, no evidence heads"

Errors = dict[str, dict[str, float]]
"""By condition and rule, a share."""


class Split(str, Enum):
    """Who judges."""

    dev = "dev"
    test = "test"


class Bench:
    """Students, heads and fusion of any seed, and their judges."""

    def __init__(self, run: TrainingRun, split: Split, per_class: int, samples: int) -> None:
        self.run, self.split, self.centres = run, split, run.centres
        self.folder = run.folder / f"few_shot_{per_class}_{samples}"
        self.few = {
            m: FewShot(run, m, per_class=per_class, samples=samples)
            for m in run.recipe.modalities
            if run.recordings(m)
        }
        self.ways = {way.name: way.config for way in variants(run.config, ())}
        self._held_back = cache(self._read)

    def scores(self, seed: int) -> dict[str, Any]:
        """Errors of one seed, measured now or read back."""
        file = self.folder / str(seed) / f"{self.split.value}.json"
        if not file.exists():
            write_atomically(file, json.dumps(self._measure(seed), indent=2).encode())
        scores: dict[str, Any] = json.loads(file.read_text())
        return scores

    def _measure(self, seed: int) -> dict[str, Any]:
        labelled: dict[tuple[str, bool], Pool] = {}
        judges: dict[tuple[str, bool], Pool] = {}
        every_class = []
        for modality, few in self.few.items():
            known = [r for r in few.labelled(seed) if r.label is not None]
            if {r.label for r in known} == set(self.run.recipe.label_names):
                every_class.append(modality)
            config = self.ways[WORDS if modality in TEACHER_MODALITIES else FULL]
            folder = self.folder / str(seed) / modality
            student = few.student(config, seed, folder)
            head = self._head(student, modality, known, folder / "evidence.pt", seed)
            shape = self.run.recipe.preprocessor(modality).input_shape[1:]
            for pools, inputs in (
                (labelled, self._prepared(modality, known, _IN_TRAINING, seed)),
                (judges, self._held_back(modality)),
            ):
                pools[modality, False] = _embedded(inputs, student, shape)
                pools[modality, True] = _sure(pools[modality, False], head)
        with_heads, without = (
            self._outcomes(
                {m: labelled[m, sure] for m in self.few}, {m: judges[m, sure] for m in self.few}, seed
            )
            for sure in (True, False)
        )
        alone = {m: _accuracy(judges[m, True], self.centres) for m in self.few}
        return {
            "alone": alone,
            "all modalities": _errors(with_heads, without, self.few),
            f"those that show every class ({', '.join(every_class)})": _errors(
                with_heads, without, every_class
            ),
        }

    def _outcomes(
        self, labelled: Mapping[str, Pool], judges: Mapping[str, Pool], seed: int
    ) -> list[Outcomes]:
        names = tuple(judges)
        model = train_fusion(labelled, names, self.centres, FusionPlan(), seed=seed, progress=False)

        def adaptive(sets: SensorSets) -> tuple[np.ndarray, np.ndarray]:
            fused, weights = fuse(model, sets, list(range(len(names) + 1)), self.centres)
            return fused @ self.centres.T, weights

        alone = {n: _accuracy(judges[m], self.centres) for n, m in enumerate(names)}
        rules = {
            **static_rules(self.centres),
            "best single sensor": best_single(self.centres, alone),
        }
        return compare(
            judges,
            judges,
            adaptive,
            rules,
            clean_per_class=CLEAN_PER_CLASS,
            bad_per_class=BAD_PER_CLASS,
            seed=self.run.seed,
        )

    def _head(
        self, student: Student, modality: str, known: list[Recording], file: Path, seed: int
    ) -> EvidenceHead:
        """Trained now or read back. What the student knows by heart it also meets as it might have been."""
        if not file.exists():
            recipe = self.run.recipe.model_copy(update={"simulated": {modality: SIMULATED}})
            copies = [_augmented(r, (seed, n, c)) for n, r in enumerate(known) for c in range(COPIES)]
            recordings = [*known, *copies, *simulated_recordings(recipe, modality, seed)]
            adaptor, names = recipe.preprocessor(modality), recipe.label_names
            save_weights(train_evidence(student, adaptor, recordings, names, self.centres, seed=seed), file)
        head = EvidenceHead(self.centres.shape[1])
        load_weights(head, file)
        return head.eval()

    def _read(self, modality: str) -> Pool:
        """Recordings that judge."""
        run, rng = self.run, np.random.default_rng(self.run.seed)
        found = select(run.recordings(modality), run.recipe, self.split.value)
        by_class = ([r for r in found if r.label == label] for label in run.recipe.label_names)
        some = [same[i] for same in by_class for i in rng.permutation(len(same))[:JUDGES]]
        kinds = load(definition(modality).corruptions) or ()
        return self._prepared(modality, some, STEPS * len(kinds), run.seed)

    def _prepared(self, modality: str, recordings: list[Recording], versions: int, seed: int) -> Pool:
        """Recordings and corrupted versions of them, with model inputs in the place of embeddings."""
        adaptor, names = self.run.recipe.preprocessor(modality), self.run.recipe.label_names
        return make_pool(_as_they_are, adaptor, recordings, names, versions=versions, seed=seed)


def _augmented(recording: Recording, seed: tuple[int, ...]) -> Recording:
    augment = load(definition(recording.modality).augment)
    if augment is None:
        return recording
    return replace(recording, load=lambda: augment(recording.load(), np.random.default_rng(seed)))


def _as_they_are(inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return inputs.reshape(len(inputs), -1), np.zeros(len(inputs), np.float32)


def _embedded(inputs: Pool, encoder: torch.nn.Module, shape: tuple[int, ...]) -> Pool:
    count, versions, _ = inputs.embeddings.shape
    embeddings, evidence = embedder(encoder)(inputs.embeddings.reshape(count * versions, *shape))
    return replace(
        inputs,
        embeddings=embeddings.reshape(count, versions, -1),
        evidence=evidence.reshape(count, versions),
    )


@torch.no_grad()
def _sure(pool: Pool, head: EvidenceHead) -> Pool:
    """The evidence that the head makes of it."""
    z = torch.from_numpy(pool.embeddings * np.exp(pool.evidence)[..., None])
    return replace(pool, evidence=pool.evidence + head(z)[..., 0].numpy())


def _accuracy(pool: Pool, centres: np.ndarray) -> float:
    """Of a sensor alone; what the signal checks refuse is wrong."""
    right = ((pool.clean @ centres.T).argmax(axis=1) == pool.labels) & (pool.quality[:, 0] > 0)
    return float(right.mean())


def _errors(with_heads: list[Outcomes], without: list[Outcomes], modalities: Iterable[str]) -> Errors:
    """Every set of two or more of the modalities weighs the same."""
    own, found = set(modalities), {}
    for condition in CONDITIONS:
        scores, plain = (
            accuracies(
                o for o in outcomes if o.condition == condition and len(o.subset) > 1 and set(o.subset) <= own
            )
            for outcomes in (with_heads, without)
        )
        found[condition] = {
            rule: round(1 - score, 5) for rule, score in {**scores, HEADLESS: plain[ADAPTIVE]}.items()
        }
    return found


# -------- what is printed


def show(seeds: list[dict[str, Any]]) -> None:
    """Markdown: mean and standard deviation over seeds, %."""
    alone = {m: [scores["alone"][m] for scores in seeds] for m in seeds[0]["alone"]}
    print("accuracy alone: " + ", ".join(f"{m} {_spread(values)}" for m, values in alone.items()))
    for title in list(seeds[0])[1:]:
        print(f"\n{title}\n\n| rule | {' | '.join(CONDITIONS)} |\n|---|{'---:|' * len(CONDITIONS)}")
        errors = {
            rule: {c: np.array([s[title][c][rule] for s in seeds]) for c in CONDITIONS}
            for rule in seeds[0][title]["clean"]
        }
        for rule, by_condition in errors.items():
            print(f"| {rule} | {' | '.join(_spread(by_condition[c]) for c in CONDITIONS)} |")
        rivals = [rule for rule in errors if rule not in (ADAPTIVE, HEADLESS)]
        for condition in CONDITIONS:
            best = min(rivals, key=lambda rule, c=condition: errors[rule][c].mean())
            gains = [
                f"{_spread(errors[rule][condition] - errors[ADAPTIVE][condition])} points over {rule}"
                for rule in dict.fromkeys(("mean of embeddings", best))
            ]
            print(f"\n{condition}: adaptive fusion gains {', '.join(gains)}")


def _spread(values: Any) -> str:
    many = len(values) > 1
    return f"{100 * np.mean(values):.2f}" + (f" ± {100 * np.std(values, ddof=1):.2f}" if many else "")


def main(
    run_folder: Annotated[Path, typer.Argument(help="A run of `omnibind train teacher`.")],
    root: Annotated[Path, typer.Option(envvar="OMNIBIND_DATA", help="Folder of recordings.")],
    recipe: str = "digits",
    split: Annotated[Split, typer.Option(help="Who judges.")] = Split.dev,
    seeds: Annotated[int, typer.Option(min=1, help="How often, with other recordings and weights.")] = 5,
    per_class: Annotated[int, typer.Option(min=1, help="Labelled recordings of each class.")] = 10,
    samples: Annotated[int, typer.Option(min=1, help="Samples that each student sees.")] = 15_000,
) -> None:
    """Print the error of each rule, %."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    run = TrainingRun(load_recipe(recipe), root, run_folder, execution=Execution(progress=False))
    bench = Bench(run, split, per_class, samples)
    found = []
    for seed in range(seeds):
        found.append(bench.scores(seed))
        corrupted = found[-1]["all modalities"]["corrupted"]
        print(f"seed {seed}, one corrupted: adaptive fusion {100 * corrupted[ADAPTIVE]:.2f} % wrong, "
              f"mean of embeddings {100 * corrupted['mean of embeddings']:.2f} %", flush=True)  # fmt: skip
    show(found)


if __name__ == "__main__":
    typer.run(main)
