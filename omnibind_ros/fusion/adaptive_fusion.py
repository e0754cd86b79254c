"""Live embeddings -> one embedding and a weight per sensor.

`AdaptiveFusion` runs the trained model of a bundle (stage 2 of OmniBind, arXiv 2405.16108) through an
inference engine. A single live embedding is returned untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.bundle.temperature_scaling import MAX_EVIDENCE
from omnibind_ros.errors import BundleError
from omnibind_ros.types import Embedding, Modality

RunModel = Callable[[Mapping[str, NDArray[Any]]], Mapping[str, NDArray[Any]]]
"""Runs a model once: named input arrays -> named output arrays, as `Engine.run` does."""


@dataclass(frozen=True, eq=False)
class Fused:
    """The fusion of n live embeddings.

    Attributes:
        vector: float32 [D], unit norm.
        weights: float32 [n], each sensor's share; they sum to 1.
        left_out: sensors of weight 0, because the model takes no more.
    """

    vector: NDArray[np.float32]
    weights: NDArray[np.float32]
    left_out: tuple[str, ...] = ()


class AdaptiveFusion:
    """The bundle's fusion model with its input buffers, which are reused from one call to the next.

    Args:
        run: runs the model. Inputs: `embeddings` float32 [N, D], `evidence` float32 [N], `quality`
            float32 [N], `modality` int64 [N], `mask` float32 [N] (1 = a live sensor; other rows are zero),
            `centres` float32 [K, D]. Outputs: `fused` [D], `weights` [N].
        modalities: names in the order of the model's ids; any other has the generic id, `len(modalities)`.
        max_sensors: N.
        centres: float32 [K, D], unit norm: `LabelBank.class_centres`.

    Raises:
        BundleError: no sensors, or centres of the wrong shape.
    """

    def __init__(
        self, run: RunModel, modalities: Sequence[Modality], max_sensors: int, centres: NDArray[np.float32]
    ) -> None:
        if max_sensors < 1:
            raise BundleError(f"fusion model: max_sensors is {max_sensors}; it must take at least one")
        if centres.ndim != 2 or 0 in centres.shape:
            raise BundleError(f"fusion model: centres have shape {centres.shape}; it needs (classes, dim)")
        self._run = run
        self._ids = {modality: index for index, modality in enumerate(modalities)}
        self._inputs: dict[str, NDArray[Any]] = {
            "embeddings": np.zeros((max_sensors, centres.shape[1]), np.float32),
            "evidence": np.zeros(max_sensors, np.float32),
            "quality": np.zeros(max_sensors, np.float32),
            "modality": np.zeros(max_sensors, np.int64),
            "mask": np.zeros(max_sensors, np.float32),
            "centres": np.ascontiguousarray(centres, np.float32),
        }
        self._centres = self._inputs["centres"]
        self.max_sensors = max_sensors

    def warm_up(self) -> None:
        """Run once on zeros, so that the first step is not the slow one.

        Raises:
            BackendError: the model does not take inputs of these shapes.
        """
        self._fill([])
        self._run(self._inputs)

    def fuse(self, live: Sequence[Embedding], classes: NDArray[np.intp] | None = None) -> Fused:
        """Fuse at least one embedding, all of one space and stamped by one clock.

        If there are more than `max_sensors`, those of the best quality and age are taken.

        Args:
            classes: those that are considered; None = all.
        """
        if len(live) == 1:
            return _untouched(live[0])
        kept = self._kept(live)
        self._fill([live[index] for index in kept])
        self._inputs["centres"] = self._centres if classes is None else self._centres[classes]
        outputs = self._run(self._inputs)
        weights = np.zeros(len(live), np.float32)
        weights[kept] = _shares(np.asarray(outputs["weights"], np.float32)[: len(kept)])
        left_out = tuple(live[index].sensor for index in range(len(live)) if index not in kept)
        return Fused(_direction(np.array(outputs["fused"], np.float32), live, weights), weights, left_out)

    def _kept(self, live: Sequence[Embedding]) -> list[int]:
        """Indices into `live`, in its order."""
        if len(live) <= self.max_sensors:
            return list(range(len(live)))
        newest = max(e.stamp for e in live)
        worth = [e.quality / (1 + (newest - e.stamp) * 1e-9) for e in live]
        best_first = sorted(range(len(live)), key=lambda index: (-worth[index], live[index].sensor))
        return sorted(best_first[: self.max_sensors])

    def _fill(self, live: Sequence[Embedding]) -> None:
        inputs, generic = self._inputs, len(self._ids)
        for row, embedding in enumerate(live):
            inputs["embeddings"][row] = embedding.vector
            inputs["evidence"][row] = min(max(embedding.evidence, -MAX_EVIDENCE), MAX_EVIDENCE)
            inputs["quality"][row] = min(max(embedding.quality, 0.0), 1.0)
            inputs["modality"][row] = self._ids.get(embedding.modality, generic)
            inputs["mask"][row] = 1.0
        for name in ("embeddings", "evidence", "quality", "modality", "mask"):
            inputs[name][len(live) :] = 0


def _untouched(embedding: Embedding) -> Fused:
    return Fused(np.asarray(embedding.vector, np.float32), np.ones(1, np.float32))


def _shares(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights that sum to 1; equal ones if none is positive."""
    weights = np.maximum(weights, 0.0)
    total = weights.sum()
    if not np.isfinite(total) or total <= 0:
        return np.full(len(weights), 1 / len(weights), np.float32)
    shares: NDArray[np.float32] = weights / total
    return shares


def _direction(
    vector: NDArray[np.float32], live: Sequence[Embedding], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The unit vector; the embedding of the largest weight where embeddings cancel each other out."""
    norm = float(np.sqrt(vector @ vector))
    if not np.isfinite(norm) or norm < 1e-6:
        return np.asarray(live[int(weights.argmax())].vector, np.float32)
    return np.asarray(vector / np.float32(norm), np.float32)
