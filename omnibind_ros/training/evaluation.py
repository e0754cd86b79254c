"""How good is a bundle? Every modality alone, and every subset of them fused, on recordings. Needs no torch.

A bundle is judged as a robot uses it: the adaptors' preprocessing, the exported encoders, the exported
fusion, the calibrated label bank. Subsets are episodes of one class, one recording per modality, drawn with
a fixed seed; data that is aligned by class only has no true pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from rich.progress import track

from omnibind_ros.core.embedding import Embedding
from omnibind_ros.data.recipe import Recipe
from omnibind_ros.data.recording import Recording
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion
from omnibind_ros.fusion.calibration import Calibration
from omnibind_ros.fusion.label_bank import LabelBank
from omnibind_ros.inference.bundle import Bundle
from omnibind_ros.inference.encoder import SensorEncoder

EPISODES_PER_CLASS = 40


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
        sources: per modality and source of recordings.
        negatives: share of samples of none of the classes that were answered `unknown`.
    """

    modalities: dict[str, Score]
    subsets: list[SubsetScore]
    sources: dict[str, dict[str, Score]] = field(default_factory=dict)
    negatives: dict[str, Score] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain data; see `omnibind evaluate --json`."""
        return {
            "modalities": {m: vars(s) for m, s in self.modalities.items()},
            "subsets": [{**vars(s), "modalities": list(s.modalities)} for s in self.subsets],
            "sources": {m: {name: vars(s) for name, s in by.items()} for m, by in self.sources.items()},
            "negatives": {m: vars(s) for m, s in self.negatives.items()},
        }


def evaluate(bundle: Bundle, recipe: Recipe, recordings: Iterable[Recording], *, seed: int = 0) -> Evaluation:
    """Evaluate a bundle on recordings.

    A recording that the signal checks refuse counts as a wrong answer.
    """
    labels = LabelBank.from_npz(bundle.labels_path.read_bytes(), str(bundle.labels_path))
    calibration = Calibration(**bundle.manifest.calibration.model_dump())
    by_modality: dict[str, list[Recording]] = {}
    for recording in recordings:
        if recording.modality in bundle.modalities:
            by_modality.setdefault(recording.modality, []).append(recording)
    heard = {m: list(zip(found, _encode(bundle, m, found), strict=True)) for m, found in by_modality.items()}

    modalities: dict[str, Score] = {}
    sources: dict[str, dict[str, Score]] = {}
    negatives: dict[str, Score] = {}
    for modality, pairs in heard.items():
        known = [(r.source, _says(e, labels) == r.label) for r, e in pairs if r.label is not None]
        refused = [_is_unknown(e, labels, calibration) for r, e in pairs if r.label is None]
        modalities[modality] = _score([right for _, right in known])
        sources[modality] = {
            name: _score([right for source, right in known if source == name]) for name in dict(known)
        }
        if refused:
            negatives[modality] = _score(refused)
    pools = {
        m: {label: [e for r, e in pairs if r.label == label] for label in recipe.labels}
        for m, pairs in heard.items()
    }
    return Evaluation(modalities, _evaluate_subsets(bundle, labels, pools, seed), sources, negatives)


def _encode(bundle: Bundle, modality: str, recordings: list[Recording]) -> list[Embedding | None]:
    """The embedding of each recording, None where the signal checks refuse it."""
    encoder = SensorEncoder.open(bundle, modality, modality)
    embeddings = [
        encoder.encode_raw(recording.load())
        for recording in track(recordings, f"encoding {modality}", transient=True)
    ]
    encoder.close()
    return embeddings


def _says(embedding: Embedding | None, labels: LabelBank) -> str | None:
    return None if embedding is None else labels.names[int(labels.similarity(embedding.vector).argmax())]


def _is_unknown(embedding: Embedding | None, labels: LabelBank, calibration: Calibration) -> bool:
    if embedding is None:
        return True
    best = calibration.probabilities(labels.similarity(embedding.vector), 1).max()
    return bool(best < calibration.unknown_threshold)


def _score(right: list[bool]) -> Score:
    return Score(round(sum(right) / len(right), 4) if right else 0.0, len(right))


def _evaluate_subsets(
    bundle: Bundle, labels: LabelBank, pools: Mapping[str, Mapping[str, list[Embedding | None]]], seed: int
) -> list[SubsetScore]:
    engine = bundle.load_fusion()
    entry = bundle.manifest.fusion
    fusion = AdaptiveFusion(engine.run, entry.modalities, entry.max_sensors, labels.class_centres)
    names = list(pools)
    subsets = [s for size in range(1, len(names) + 1) for s in combinations(names, size)]
    scores = []
    for subset in track(subsets, "fusing every subset", transient=True):
        # A seed of its own for each subset: adding a modality leaves the others' episodes as they were.
        rng = np.random.default_rng([seed, *(ord(c) for c in "+".join(subset))])
        right = []
        for label in labels.names:
            candidates = [pools[m].get(label, []) for m in subset]
            if not all(candidates):
                continue
            for _ in range(EPISODES_PER_CLASS):
                drawn = [c[rng.integers(len(c))] for c in candidates]
                live = [e for e in drawn if e is not None]
                right.append(bool(live) and _says_fused(fusion, live, labels) == label)
        if right:
            scores.append(SubsetScore(subset, round(float(np.mean(right)), 4), len(right)))
    engine.close()
    return scores


def _says_fused(fusion: AdaptiveFusion, live: list[Embedding], labels: LabelBank) -> str:
    return labels.names[int(labels.similarity(fusion.fuse(live).vector).argmax())]
