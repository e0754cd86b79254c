"""The scores of an ablation: the file that keeps them, training by training, and the table made from it.

    RUN/ablation_<per class>.json   {"per_class": 10, "trainings": [
                                        {"modality", "variant", "seed", "samples", "accuracy"}, ...]}

The table of an unfinished ablation shows the trainings that are done.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from omnibind_ros.errors import ConfigError

FULL, NO_TEACHER = "all", "no teacher"
"""The variant with everything, and the baseline of all gains."""


@dataclass(frozen=True)
class Trained:
    """One training: `variant` is the way it was done, `samples` how many samples it drew."""

    modality: str
    variant: str
    seed: int
    samples: int


@dataclass(frozen=True)
class Cell:
    """One variant of one modality: an accuracy per seed."""

    modality: str
    variant: str
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def std(self) -> float:
        """Sample standard deviation over the seeds; 0 for a single one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else 0.0


@dataclass(frozen=True)
class AblationScores:
    """The accuracies of students trained with `per_class` labelled recordings per class."""

    per_class: int
    accuracies: Mapping[Trained, float] = field(default_factory=dict)

    @staticmethod
    def read(file: Path) -> AblationScores:
        """Read a file of scores.

        Raises:
            ConfigError: the file is damaged, or of an older version.
        """
        try:
            data = json.loads(file.read_text())
            found = {
                Trained(**{key: one[key] for key in ("modality", "variant", "seed", "samples")}): float(
                    one["accuracy"]
                )
                for one in data["trainings"]
            }
            return AblationScores(int(data["per_class"]), found)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{file} is not a table of ablation scores ({type(error).__name__}: {error}); "
                "delete it to measure again"
            ) from None

    def to_json(self) -> str:
        """The content of the file that `read` reads."""
        trainings = [{**asdict(who), "accuracy": accuracy} for who, accuracy in self.accuracies.items()]
        return json.dumps({"per_class": self.per_class, "trainings": trainings}, indent=2)

    def cells(self, samples: int) -> list[Cell]:
        """A cell per modality and variant, of trainings that drew `samples`; in the order of the seeds."""
        found: dict[tuple[str, str], list[tuple[int, float]]] = {}
        for who, accuracy in self.accuracies.items():
            if who.samples == samples:
                found.setdefault((who.modality, who.variant), []).append((who.seed, accuracy))
        return [Cell(*key, tuple(accuracy for _, accuracy in sorted(own))) for key, own in found.items()]


def tables(folder: Path) -> list[dict[str, Any]]:
    """Every table of a run: its `per_class` and `samples`, and its `summary`.

    Raises:
        ConfigError: a file is damaged.
    """
    found = []
    for file in sorted(folder.glob("ablation_*.json"), key=lambda file: (len(file.name), file.name)):
        scores = AblationScores.read(file)
        for samples in sorted({who.samples for who in scores.accuracies}):
            how = {"per_class": scores.per_class, "samples": samples}
            found.append({**how, **summary(scores.cells(samples))})
    return found


def summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """Every cell, and by variant the mean over modalities and its gain over no teacher; plain data.

    A variant that lacks a modality, as in an unfinished ablation, has no mean.
    """
    modalities = {cell.modality for cell in cells}
    mean = {
        name: float(np.mean([cell.mean for cell in own]))
        for name, own in _by_variant(cells).items()
        if len(own) == len(modalities)
    }
    return {
        "cells": [
            {**vars(c), "accuracies": list(c.accuracies), "mean": round(c.mean, 4), "std": round(c.std, 4)}
            for c in cells
        ],
        "mean_over_modalities": {name: round(value, 4) for name, value in mean.items()},
        "gain_over_no_teacher": {
            name: round(value - mean[NO_TEACHER], 4) for name, value in mean.items() if name != NO_TEACHER
        }
        if NO_TEACHER in mean
        else {},
    }


def _by_variant(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.variant, []).append(cell)
    return found
