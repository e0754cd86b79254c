"""What an ablation has measured: kept training by training, shown as a table.

    RUN/ablation_<per class>.json   {"per_class": 10, "trainings": [
                                        {"modality", "variant", "seed", "samples", "accuracy"}, ...]}

Each training's accuracy is written as soon as it is known; a table is made of whatever there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from omnibind_ros.errors import ConfigError

FULL, NOBODY = "all", "no teacher"
"""The variant with all of it, and the one that all others are compared with."""


@dataclass(frozen=True)
class Trained:
    """One student: `variant` says how it was taught, `samples` how many it has seen."""

    modality: str
    variant: str
    seed: int
    samples: int


@dataclass(frozen=True)
class Cell:
    """One variant of one modality; accuracies by seed."""

    modality: str
    variant: str
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def std(self) -> float:
        """Of a sample of seeds; 0 of a single one."""
        return float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else 0.0


@dataclass(frozen=True)
class Measured:
    """All accuracies of students that know `per_class` labelled recordings of each class."""

    per_class: int
    accuracies: Mapping[Trained, float] = field(default_factory=dict)

    @staticmethod
    def read(file: Path) -> Measured:
        """What `write` wrote.

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
            return Measured(int(data["per_class"]), found)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{file} cannot be read as an ablation ({type(error).__name__}: {error}); "
                "delete it to ablate anew"
            ) from None

    def to_json(self) -> str:
        """What `read` reads."""
        trainings = [{**asdict(who), "accuracy": accuracy} for who, accuracy in self.accuracies.items()]
        return json.dumps({"per_class": self.per_class, "trainings": trainings}, indent=2)

    def cells(self, samples: int) -> list[Cell]:
        """One for each modality and variant, of students that have seen `samples`; seeds in their order."""
        found: dict[tuple[str, str], list[tuple[int, float]]] = {}
        for who, accuracy in self.accuracies.items():
            if who.samples == samples:
                found.setdefault((who.modality, who.variant), []).append((who.seed, accuracy))
        return [Cell(*key, tuple(accuracy for _, accuracy in sorted(own))) for key, own in found.items()]


def tables(folder: Path) -> list[dict[str, Any]]:
    """Every ablation of a run: its `per_class` and `samples`, and what `summary` says.

    Raises:
        ConfigError: a file is damaged.
    """
    found = []
    for file in sorted(folder.glob("ablation_*.json"), key=lambda file: (len(file.name), file.name)):
        measured = Measured.read(file)
        for samples in sorted({who.samples for who in measured.accuracies}):
            how = {"per_class": measured.per_class, "samples": samples}
            found.append({**how, **summary(measured.cells(samples))})
    return found


def summary(cells: Sequence[Cell]) -> dict[str, Any]:
    """Plain data: every cell, and by variant the mean over modalities and the gain over no teacher.

    Of a variant that lacks a modality, as an interrupted ablation leaves it, there is no mean.
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
            name: round(value - mean[NOBODY], 4) for name, value in mean.items() if name != NOBODY
        }
        if NOBODY in mean
        else {},
    }


def _by_variant(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.variant, []).append(cell)
    return found
