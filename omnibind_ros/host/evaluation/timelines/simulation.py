"""Scenes and faults -> what each sensor sends, and when. The same seed gives the same samples.

A sample shows the scene as it was when the sample began. Each sensor draws from a random stream of its
own, so a timeline without one of its sensors is otherwise the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.evaluation.timelines.shelf import Shelf, moments_of
from omnibind_ros.types import Embedding, Modality, Space

START = 1_700_000_000_000_000_000
"""ns; the beginning of every timeline."""

FAULTS = ("stuck", "degrading", "delayed", "swapped", "dropping", "two against two")

FEW_CLASSES = 4
"""With fewer in common, sensors that know them all are judged on classes that others lack."""

_SHORTEST_S, _LONGEST_S = 3.0, 15.0
_JITTER = 0.05
_STUCK_NOISE = 0.04
_DEGRADED_AFTER_S = 20.0
_DELAY_S = 2.0
_SILENT_S, _DROP_PERIOD_S = 3.0, 6.0


@dataclass(frozen=True)
class Scene:
    """What is true from `begin_s` on: a class, and the recorded moment that shows it ("" = any)."""

    begin_s: float
    label: int
    moment: str = ""


@dataclass(frozen=True)
class Fault:
    """What is wrong with some sensors from `begin_s` on; `kind` is one of `FAULTS`."""

    kind: str
    sensors: tuple[Modality, ...]
    begin_s: float


@dataclass(frozen=True, eq=False)
class Timeline:
    """What happens.

    Attributes:
        scenes: in order, the first at 0.
        embeddings: in the order in which they arrive, at their stamps.
        fault: None = nothing is wrong.
        contradicted_s: when a faulty sensor first shows something else than the scene; infinity = never.
    """

    sensors: tuple[Modality, ...]
    duration_s: float
    scenes: tuple[Scene, ...]
    embeddings: tuple[Embedding, ...]
    fault: Fault | None
    contradicted_s: float

    def truth(self, times: NDArray[np.float64]) -> NDArray[np.intp]:
        """The class at each time."""
        begins = np.array([scene.begin_s for scene in self.scenes])
        labels = np.array([scene.label for scene in self.scenes])
        return np.asarray(labels[np.searchsorted(begins, times, side="right") - 1], np.intp)


def draw_scenes(
    shelves: Mapping[Modality, Shelf], duration_s: float, rng: np.random.Generator
) -> tuple[Scene, ...]:
    """Scenes of 3 to 15 s, no two of one class in a row; of classes that every sensor knows, if it can be."""
    able = common_classes(shelves)
    if len(able) < FEW_CLASSES:
        classes = range(len(next(iter(shelves.values())).rows))
        able = [k for k in classes if any(len(shelf.rows[k]) for shelf in shelves.values())]
    scenes: list[Scene] = []
    at = 0.0
    while at < duration_s:
        label = int(rng.choice([k for k in able if not scenes or k != scenes[-1].label]))
        moments = moments_of(shelves, label)
        scenes.append(Scene(at, label, str(rng.choice(moments)) if len(moments) else ""))
        at += rng.uniform(_SHORTEST_S, _LONGEST_S)
    return tuple(scenes)


def common_classes(shelves: Mapping[Modality, Shelf]) -> list[int]:
    """Classes of which every sensor has recordings."""
    classes = range(len(next(iter(shelves.values())).rows))
    return [k for k in classes if all(len(shelf.rows[k]) for shelf in shelves.values())]


def simulate(
    shelves: Mapping[Modality, Shelf],
    space: Space,
    scenes: Sequence[Scene],
    duration_s: float,
    seed: int,
    fault: Fault | None = None,
) -> Timeline:
    """The timeline of a sensor of each modality of `shelves`."""
    sent: list[Embedding] = []
    contradicted = np.inf
    for modality, shelf in shelves.items():
        rng = np.random.default_rng([seed, crc32(modality.encode())])
        own = fault if fault is not None and modality in fault.sensors else None
        sensor = _Sensor(modality, shelf, tuple(scenes), space, rng, own, seed)
        sent += sensor.embeddings(duration_s)
        contradicted = min(contradicted, sensor.contradicted_s)
    sent.sort(key=lambda embedding: embedding.stamp)
    return Timeline(tuple(shelves), duration_s, tuple(scenes), tuple(sent), fault, contradicted)


class _Sensor:
    def __init__(
        self,
        modality: Modality,
        shelf: Shelf,
        scenes: tuple[Scene, ...],
        space: Space,
        rng: np.random.Generator,
        fault: Fault | None,
        seed: int,
    ) -> None:
        self._modality, self._shelf, self._scenes, self._space = modality, shelf, scenes, space
        self._rng, self._fault = rng, fault
        self._last: tuple[int, int] | None = None
        self.contradicted_s = np.inf
        names = np.random.default_rng([seed, 1]).permutation(len(shelf.rows))
        self._other_name = dict(pairwise([*names.tolist(), int(names[0])]))
        self._kind = int(np.random.default_rng([seed, 2]).integers(1, 1 << 16))

    def embeddings(self, duration_s: float) -> list[Embedding]:
        """Everything that it sends in that time."""
        timing, made = self._shelf.timing, []
        begin = float(self._rng.random()) * max(timing.period_s, timing.hop_s, timing.rest_s)
        while begin < duration_s:
            sample = self._sample(begin)
            length = 0.0 if sample is None else sample[1]
            if sample is not None:
                for sent_s in self._sent(begin, length):
                    if sent_s < duration_s and not self._silent(sent_s):
                        made.append(self._embedding(sample[0], begin, sent_s))
            steady = {"single": timing.period_s, "segments": length + timing.rest_s, "windows": timing.hop_s}
            begin += max(0.01, steady[timing.kind] * (1 + _JITTER * float(self._rng.standard_normal())))
        return made

    def _sent(self, begin: float, length: float) -> Iterator[float]:
        """When the sample that began at `begin` is sent."""
        timing = self._shelf.timing
        if timing.kind == "single":
            yield begin
        elif timing.kind == "windows":
            yield begin + timing.window_s
        else:
            complete = np.ceil((begin + length + timing.pause_s) / timing.hop_s) * timing.hop_s
            # Until it leaves the window, or the next one is complete, which takes at least as long.
            last = max(complete, begin + timing.window_s + timing.pause_s)
            last = min(last, begin + 2 * length + timing.rest_s + timing.pause_s)
            yield from np.arange(complete, max(last, complete) + 1e-9, timing.hop_s).tolist()

    def _sample(self, begin: float) -> tuple[tuple[NDArray[np.float32], float, float], float] | None:
        """Vector, evidence and quality of a sample that begins now, and how long it lasts; None = nothing."""
        fault = self._fault if self._fault is not None and begin >= self._fault.begin_s else None
        kind = fault.kind if fault else ""
        clean, true = self._shelf.clean, self._scene(begin)
        if kind == "stuck" and self._last is not None:
            row, label = self._last
            self._note(begin, label, true.label)
            noise = self._rng.standard_normal(clean.embeddings.shape[2]) / np.sqrt(clean.embeddings.shape[2])
            vector = clean.embeddings[row, 0] + _STUCK_NOISE * noise
            vector = np.asarray(vector / np.linalg.norm(vector), np.float32)
            return (vector, float(clean.evidence[row, 0]), float(clean.quality[row, 0])), self._shelf.lengths[
                row
            ]
        scene = self._scene(begin - _DELAY_S) if kind == "delayed" else true
        label = self._other_name[scene.label] if kind in ("swapped", "two against two") else scene.label
        self._note(begin, label, true.label)
        found = self._shelf.row(label, scene.moment, self._rng)
        if found is None:
            return None
        self._last = (found, label)
        if kind == "degrading" and fault is not None and self._shelf.corrupted is not None:
            worse = self._degraded(label, min(1.0, (begin - fault.begin_s) / _DEGRADED_AFTER_S))
            if worse is not None:
                self.contradicted_s = min(self.contradicted_s, begin)
                pool, (row, version) = self._shelf.corrupted, worse
                shown = pool.embeddings[row, version], pool.evidence[row, version], pool.quality[row, version]
                if shown[2] <= 0:
                    return None
                return (shown[0], float(shown[1]), float(shown[2])), self._shelf.lengths[found]
        shown = clean.embeddings[found, 0], clean.evidence[found, 0], clean.quality[found, 0]
        return (shown[0], float(shown[1]), float(shown[2])), self._shelf.lengths[found]

    def _degraded(self, label: int, strength: float) -> tuple[int, int] | None:
        """A corrupted version of about this strength, of one kind of corruption for the whole timeline."""
        pool = self._shelf.corrupted
        assert pool is not None
        rows = np.flatnonzero(pool.labels == label)
        if not len(rows):
            return None
        row = int(self._rng.choice(rows))
        versions = np.flatnonzero(pool.kind[row] == 1 + self._kind % len(pool.kinds))
        if not len(versions):
            return None
        return row, int(versions[np.abs(pool.strength[row, versions] - strength).argmin()])

    def _embedding(
        self, shown: tuple[NDArray[np.float32], float, float], begin: float, sent: float
    ) -> Embedding:
        vector, evidence, quality = shown
        stamp, span = START + round(sent * 1e9), sent - begin
        return Embedding(
            self._modality, self._modality, vector, stamp, self._space.tag, quality, evidence, span=span
        )

    def _scene(self, at: float) -> Scene:
        current = self._scenes[0]
        for scene in self._scenes:
            if scene.begin_s > at:
                break
            current = scene
        return current

    def _silent(self, at: float) -> bool:
        fault = self._fault
        silent = (
            fault is not None
            and fault.kind == "dropping"
            and at >= fault.begin_s
            and (at - fault.begin_s) % _DROP_PERIOD_S < _SILENT_S
        )
        if silent:
            self.contradicted_s = min(self.contradicted_s, at)
        return silent

    def _note(self, at: float, shown: int, true: int) -> None:
        if shown != true:
            self.contradicted_s = min(self.contradicted_s, at)
