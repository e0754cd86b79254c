"""How good is a bundle? Every modality alone, and every subset of them fused, on recordings.

A bundle is judged as a robot uses it: the adaptors' preprocessing, the exported encoders, the exported
fusion, the calibrated label bank; torch is imported only to train the rivals that have to be learned. Subsets
are sets of one recording per modality, drawn with a fixed seed: of one moment where recordings have true
pairs, of one class in data that is aligned by class only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.temperature_scaling import TemperatureScaling
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.host.data.recipe import Recipe
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.evaluation import comparison
from omnibind_ros.host.evaluation.calibration_fit import expected_calibration_error
from omnibind_ros.host.evaluation.comparison import Fuse, Outcomes
from omnibind_ros.host.evaluation.episodes import Episodes
from omnibind_ros.host.evaluation.pools import NO_LABEL, Embed, Pool, make_pool, pick
from omnibind_ros.host.evaluation.rules import best_single, static_rules
from omnibind_ros.host.report.space_map import retrieval, space_map
from omnibind_ros.modalities.preprocessor import Sample

EPISODES_PER_CLASS = 40
"""Clean sets of each subset and class."""

_BAD_PER_CLASS = 6
"""Sets of each subset, class and bad sensor, for every kind of corruption."""

_MOST_CORRUPTED = 200
"""Recordings of a modality that are corrupted."""

_BINS = 15


@dataclass(frozen=True)
class Score:
    """Share of right answers over n."""

    accuracy: float
    n: int


@dataclass(frozen=True)
class SubsetScore:
    """A subset of modalities, fused."""

    modalities: tuple[str, ...]
    accuracy: float
    n: int


@dataclass(frozen=True)
class Evaluation:
    """All of it.

    Attributes:
        modalities: each one alone.
        subsets: each one fused, clean.
        sources: per modality and source of recordings.
        negatives: share of samples of none of the classes that were answered `unknown`.
        tables: what is plain data already, by its key in the JSON file; see `to_json`.
    """

    modalities: dict[str, Score]
    subsets: list[SubsetScore]
    sources: dict[str, dict[str, Score]] = field(default_factory=dict)
    negatives: dict[str, Score] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data; see `omnibind evaluate --json`.

        Beside the scores: `conditions`, `sizes`, `kinds` and `subsets` (see `training.comparison`),
        `retrieval` and `map` (see `training.space_map`), `calibration` by condition (`ece`, and `bins` of
        confidence, accuracy and n), `confusion` (`labels`, and rows = truth of each modality and of all
        corrupted sets).
        """
        return {
            "modalities": {m: vars(s) for m, s in self.modalities.items()},
            "subsets": [{**vars(s), "modalities": list(s.modalities)} for s in self.subsets],
            "sources": {m: {name: vars(s) for name, s in by.items()} for m, by in self.sources.items()},
            "negatives": {m: vars(s) for m, s in self.negatives.items()},
            **self.tables,
        }


def evaluate(
    bundle: Bundle,
    recipe: Recipe,
    recordings: Iterable[Recording],
    *,
    learn_from: Iterable[Recording] = (),
    seed: int = 0,
) -> Evaluation:
    """Evaluate a bundle on recordings.

    A recording that the signal checks refuse counts as a wrong answer of its modality, and is in no set.

    Args:
        learn_from: other recordings that nothing was trained on, for the rivals that are learned; without
            any, adaptive fusion is compared with those that learn nothing.
    """
    bank, calibration = LabelBank.load(bundle.labels_path), bundle.manifest.calibration
    order = bundle.manifest.fusion.modalities
    found = recordings_by_modality(recordings, order)
    alone: dict[str, Pool] = {}
    damaged: dict[str, Pool] = {}
    others = recordings_by_modality(learn_from, order)
    rival_pools: dict[str, Pool] = {}
    for modality, own in found.items():
        encoder = SensorEncoder.open(bundle, modality, modality)
        embed, adaptor = embedder(encoder), encoder.adaptor
        alone[modality] = make_pool(embed, adaptor, own, bank.names, versions=0)
        some = pick([r for r in own if r.label is not None], _MOST_CORRUPTED, seed)
        versions = comparison.STEPS * len(alone[modality].kinds)
        if some:
            damaged[modality] = make_pool(embed, adaptor, some, bank.names, versions=versions, seed=seed)
        if modality in others:
            rival_pools[modality] = make_pool(
                embed, adaptor, pick(others[modality], _MOST_CORRUPTED, seed), bank.names, seed=seed + 1
            )
        encoder.close()

    scores = _Alone(found, alone, bank, calibration)
    rules = static_rules(bank.class_centres)
    rules["best single sensor"] = best_single(
        bank.class_centres, {list(damaged).index(m): scores.modalities[m].accuracy for m in damaged}
    )
    static = tuple(rules)
    if set(rival_pools) >= set(damaged):
        from omnibind_ros.host.evaluation.learned_rules import learn_rules

        rules |= learn_rules({m: rival_pools[m] for m in damaged}, bank.class_centres, seed)

    engine = bundle.load_fusion()
    fuse = _fusion(engine.run, [order.index(m) for m in damaged], bundle.manifest.fusion.max_sensors, bank)
    outcomes = comparison.compare(
        {m: alone[m] for m in damaged},
        damaged,
        fuse,
        rules,
        clean_per_class=EPISODES_PER_CLASS,
        bad_per_class=_BAD_PER_CLASS,
        seed=seed,
    )
    engine.close()
    subsets = comparison.subset_table(outcomes)
    return Evaluation(
        scores.modalities,
        [SubsetScore(tuple(s["modalities"]), s["accuracy"], s["n"]) for s in subsets],
        scores.sources,
        scores.negatives,
        {
            "subsets": subsets,
            "conditions": comparison.condition_table(outcomes, static),
            "sizes": comparison.size_table(outcomes, seed),
            "kinds": comparison.kind_table(outcomes),
            "calibration": _reliability(outcomes, calibration),
            "confusion": {
                "labels": list(bank.names),
                **scores.confusion,
                "one corrupted": _confusion(outcomes, bank),
            },
            "retrieval": retrieval(alone),
            "map": space_map(alone, bank.names, seed=seed),
        },
    )


def recordings_by_modality(
    recordings: Iterable[Recording], order: Sequence[str]
) -> dict[str, list[Recording]]:
    """In the order of the fusion model's ids; a modality it does not know is left out."""
    found: dict[str, list[Recording]] = {m: [] for m in order}
    for recording in recordings:
        if recording.modality in found:
            found[recording.modality].append(recording)
    return {m: own for m, own in found.items() if own}


def embedder(encoder: SensorEncoder) -> Embed:
    def embed(inputs: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        made = [encoder.encode(Sample(one[None], 0, "", 1.0)) for one in inputs]
        known = [e for e in made if e is not None]
        return np.stack([e.vector for e in known]), np.array([e.evidence for e in known], np.float32)

    return embed


class _Alone:
    """Scores of each modality alone."""

    def __init__(
        self,
        found: Mapping[str, list[Recording]],
        pools: Mapping[str, Pool],
        bank: LabelBank,
        calibration: TemperatureScaling,
    ) -> None:
        self.modalities: dict[str, Score] = {}
        self.sources: dict[str, dict[str, Score]] = {}
        self.negatives: dict[str, Score] = {}
        self.confusion: dict[str, list[list[int]]] = {}
        for modality, pool in pools.items():
            cosines, live = _similarity(pool.clean, bank), pool.quality[:, 0] > 0
            known = pool.labels != NO_LABEL
            answers = np.where(live, cosines.argmax(axis=1), NO_LABEL)
            right = answers == pool.labels
            self.modalities[modality] = _score(right[known])
            of = np.array([r.source for r in found[modality]])
            self.sources[modality] = {
                str(source): _score(right[known & (of == source)]) for source in dict.fromkeys(of[known])
            }
            if not known.all():
                best = calibration.probabilities(cosines, 1).max(axis=1)
                unknown = ~live | (best < calibration.unknown_threshold)
                self.negatives[modality] = _score(unknown[~known])
            self.confusion[modality] = _count(
                pool.labels[known & live], answers[known & live], len(bank.names)
            )


def _fusion(run: Callable[..., Any], ids: Sequence[int], max_sensors: int, bank: LabelBank) -> Fuse:
    """The bundle's fusion, set by set, as the robot runs it."""

    def fuse(sets: Episodes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        count, n = sets.mask.shape
        inputs: dict[str, NDArray[Any]] = {
            "embeddings": np.zeros((max_sensors, sets.embeddings.shape[2]), np.float32),
            "evidence": np.zeros(max_sensors, np.float32),
            "quality": np.zeros(max_sensors, np.float32),
            "modality": np.zeros(max_sensors, np.int64),
            "mask": np.zeros(max_sensors, np.float32),
            "centres": bank.class_centres,
        }
        modality = np.array(ids)[sets.modality]
        fused = np.zeros((count, sets.embeddings.shape[2]), np.float32)
        weights = np.zeros((count, n), np.float32)
        for b in range(count):
            inputs["embeddings"][:n], inputs["modality"][:n] = sets.embeddings[b], modality[b]
            for name in ("evidence", "quality", "mask"):
                inputs[name][:n] = getattr(sets, name)[b]
            outputs = run(inputs)
            fused[b], weights[b] = outputs["fused"], outputs["weights"][:n]
        return _similarity(fused, bank), weights

    return fuse


def _similarity(vectors: NDArray[np.float32], bank: LabelBank) -> NDArray[np.float32]:
    """Cosine of unit vectors [B, D] to the nearest centre of each class: [B, K]."""
    nearest: NDArray[np.float32] = np.einsum("bd,kcd->bkc", vectors, bank.centres, optimize=True).max(axis=2)
    return nearest


def _reliability(outcomes: list[Outcomes], calibration: TemperatureScaling) -> dict[str, Any]:
    """Expected calibration error of adaptive fusion, and what it is made of."""
    table = {}
    for condition in comparison.CONDITIONS:
        same = [o for o in outcomes if o.condition == condition and len(o.labels)]
        if not same:
            continue
        live, scores, labels = (
            np.concatenate([getattr(o, name) for o in same]) for name in ("live", "scores", "labels")
        )
        probabilities = np.zeros(scores.shape)
        for n in np.unique(live[live > 0]):
            probabilities[live == n] = calibration.probabilities(scores[live == n], int(n))
        probabilities[live == 0] = 1 / scores.shape[1]
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
        where = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
        table[condition] = {
            "ece": round(expected_calibration_error(probabilities, labels, _BINS), 5),
            "bins": [
                [
                    round(float(confidence[where == b].mean()), 4),
                    round(float(right[where == b].mean()), 4),
                    int((where == b).sum()),
                ]
                for b in np.unique(where)
            ],
        }
    return table


def _confusion(outcomes: list[Outcomes], bank: LabelBank) -> list[list[int]]:
    same = [o for o in outcomes if o.condition == "corrupted"]
    if not same:
        return []
    labels, answers = (np.concatenate([getattr(o, name) for o in same]) for name in ("labels", "answers"))
    return _count(labels, answers, len(bank.names))


def _count(truth: NDArray[np.int64], answers: NDArray[np.int64], classes: int) -> list[list[int]]:
    table = np.zeros((classes, classes), int)
    np.add.at(table, (truth, answers), 1)
    rows: list[list[int]] = table.tolist()
    return rows


def _score(right: NDArray[np.bool_]) -> Score:
    return Score(round(float(right.mean()), 4) if len(right) else 0.0, len(right))
