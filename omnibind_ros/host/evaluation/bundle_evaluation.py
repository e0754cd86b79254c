"""Evaluation of a bundle on recordings: every modality alone, and every subset of modalities fused.

The bundle is used as on a robot: its preprocessing, exported encoders, exported fusion, and calibrated label
bank. Subsets are judged on sets of one recording per modality, drawn with a fixed seed: of one moment where
recordings have true pairs, else of one class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.temperature_scaling import TemperatureScaling, sample_probabilities
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.evaluation import comparison, comparison_tables
from omnibind_ros.host.evaluation.comparison import Fuse, Outcomes
from omnibind_ros.host.evaluation.confidence import expected_calibration_error
from omnibind_ros.host.evaluation.pools import NO_LABEL, Embed, Pool, make_pool, pick
from omnibind_ros.host.evaluation.rules import Rule, best_single, static_rules
from omnibind_ros.host.evaluation.sensor_sets import SensorSets
from omnibind_ros.host.evaluation.space_map import retrieval, space_map
from omnibind_ros.modalities.preprocessor import Sample

SETS_PER_CLASS = 40
"""Clean sets per subset and class."""

_BAD_PER_CLASS = 6
"""Sets per subset, class, bad sensor and kind of corruption."""

_MOST_CORRUPTED = 200
"""Recordings of a modality that are used with corruption."""

_BINS = 15


LearnRules = Callable[[Mapping[str, Pool], NDArray[np.float32], int], Mapping[str, Rule]]
"""Pools by modality, class centres float32 [K, D] and a seed -> trained rules by name."""


@dataclass(frozen=True)
class Score:
    """Share of correct answers among n."""

    accuracy: float
    n: int


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        modalities: each modality alone.
        sources: by modality and source of recordings.
        negatives: by modality, share of the samples of none of the classes with the answer `unknown`.
        tables: plain data by its key in the JSON file; see `to_json`.
    """

    modalities: dict[str, Score]
    sources: dict[str, dict[str, Score]] = field(default_factory=dict)
    negatives: dict[str, Score] = field(default_factory=dict)
    tables: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data, as `omnibind evaluate --json` writes it.

        Besides the scores: `conditions`, `sizes`, `kinds` and `subsets` (see `comparison`), `retrieval` and
        `map` (see `space_map`), `calibration` by condition (`ece`, and `bins` of confidence, accuracy and n),
        `confusion` (`labels`, and for each modality and for all corrupted sets a matrix whose rows are the
        true class).
        """
        return {
            "modalities": {m: vars(s) for m, s in self.modalities.items()},
            "sources": {m: {name: vars(s) for name, s in by.items()} for m, by in self.sources.items()},
            "negatives": {m: vars(s) for m, s in self.negatives.items()},
            **self.tables,
        }


def evaluate(
    bundle: Bundle,
    recordings: Iterable[Recording],
    *,
    learn_rules: LearnRules | None = None,
    learn_from: Iterable[Recording] = (),
    seed: int = 0,
) -> Evaluation:
    """Evaluate a bundle on recordings.

    A recording that fails the signal checks counts as a wrong answer of its modality and is in no set.

    Args:
        learn_rules: trains fusion rules to compare with; None compares with rules without training.
        learn_from: recordings for that, on which nothing was trained before.
        seed: of the sets and their corruptions.

    Raises:
        BadRecording: a recording cannot be read.
        BundleError: the bundle is damaged.
    """
    bank, scaling = LabelBank.load(bundle.labels_path), bundle.manifest.calibration
    order = bundle.manifest.fusion.modalities
    found = recordings_by_modality(recordings, order)
    alone: dict[str, Pool] = {}
    corrupted: dict[str, Pool] = {}
    to_learn_from = recordings_by_modality(learn_from, order)
    learning: dict[str, Pool] = {}
    for modality, own in found.items():
        encoder = SensorEncoder.open(bundle, modality, modality)
        embed, preprocessor = embedder(encoder), encoder.adaptor
        alone[modality] = make_pool(embed, preprocessor, own, bank.names, versions=0)
        some = pick([r for r in own if r.label is not None], _MOST_CORRUPTED, seed)
        versions = comparison_tables.STEPS * len(alone[modality].kinds)
        if some:
            corrupted[modality] = make_pool(
                embed, preprocessor, some, bank.names, versions=versions, seed=seed
            )
        if modality in to_learn_from:
            learning[modality] = make_pool(
                embed,
                preprocessor,
                pick(to_learn_from[modality], _MOST_CORRUPTED, seed),
                bank.names,
                seed=seed + 1,
            )
        encoder.close()

    scores = _Alone(found, alone, bank, scaling)
    rules = static_rules(bank.class_centres)
    rules["best single sensor"] = best_single(
        bank.class_centres, {list(corrupted).index(m): scores.modalities[m].accuracy for m in corrupted}
    )
    static = tuple(rules)
    if learn_rules is not None and set(learning) >= set(corrupted):
        rules |= learn_rules({m: learning[m] for m in corrupted}, bank.class_centres, seed)

    engine = bundle.load_fusion()
    fuse = _fusion(engine.run, [order.index(m) for m in corrupted], bundle.manifest.fusion.max_sensors, bank)
    outcomes = comparison.compare(
        {m: alone[m] for m in corrupted},
        corrupted,
        fuse,
        rules,
        clean_per_class=SETS_PER_CLASS,
        bad_per_class=_BAD_PER_CLASS,
        seed=seed,
    )
    engine.close()
    return Evaluation(
        scores.modalities,
        scores.sources,
        scores.negatives,
        {
            "subsets": comparison_tables.subset_table(outcomes),
            "conditions": comparison_tables.condition_table(outcomes, static),
            "sizes": comparison_tables.size_table(outcomes, seed),
            "kinds": comparison_tables.kind_table(outcomes),
            "calibration": _reliability(outcomes, scaling),
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
    """Recordings by modality in the order of the modality ids; unknown modalities are left out."""
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
    """Scores of each modality by itself."""

    def __init__(
        self,
        found: Mapping[str, list[Recording]],
        pools: Mapping[str, Pool],
        bank: LabelBank,
        scaling: TemperatureScaling,
    ) -> None:
        self.modalities: dict[str, Score] = {}
        self.sources: dict[str, dict[str, Score]] = {}
        self.negatives: dict[str, Score] = {}
        self.confusion: dict[str, list[list[int]]] = {}
        for modality, pool in pools.items():
            cosines, live = _similarity(pool.clean, bank), pool.quality[:, 0] > 0
            known = pool.labels != NO_LABEL
            answers = np.where(live, cosines.argmax(axis=1), NO_LABEL)
            correct = answers == pool.labels
            self.modalities[modality] = _score(correct[known])
            of = np.array([r.source for r in found[modality]])
            self.sources[modality] = {
                str(source): _score(correct[known & (of == source)]) for source in dict.fromkeys(of[known])
            }
            if not known.all():
                best = sample_probabilities(cosines, pool.evidence[:, 0]).max(axis=1)
                unknown = ~live | (best < scaling.unknown_threshold)
                self.negatives[modality] = _score(unknown[~known])
            self.confusion[modality] = _count(
                pool.labels[known & live], answers[known & live], len(bank.names)
            )


def _fusion(run: Callable[..., Any], ids: Sequence[int], max_sensors: int, bank: LabelBank) -> Fuse:
    """The bundle's fusion, applied to one set at a time as on a robot.

    Args:
        run: of the fusion engine.
        ids: modality id of each modality number of the sets.
    """

    def fuse(sets: SensorSets) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
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
    """Cosines of unit vectors [B, D] to the nearest centre of each class, float32 [B, K]."""
    nearest: NDArray[np.float32] = np.einsum("bd,kcd->bkc", vectors, bank.centres, optimize=True).max(axis=2)
    return nearest


def _reliability(outcomes: list[Outcomes], scaling: TemperatureScaling) -> dict[str, Any]:
    """Expected calibration error of adaptive fusion, and its bins."""
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
            probabilities[live == n] = scaling.probabilities(scores[live == n], int(n))
        probabilities[live == 0] = 1 / scores.shape[1]
        confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
        where = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
        table[condition] = {
            "ece": round(expected_calibration_error(probabilities, labels, _BINS), 5),
            "bins": [
                [
                    round(float(confidence[where == b].mean()), 4),
                    round(float(correct[where == b].mean()), 4),
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


def _score(correct: NDArray[np.bool_]) -> Score:
    return Score(round(float(correct.mean()), 4) if len(correct) else 0.0, len(correct))
