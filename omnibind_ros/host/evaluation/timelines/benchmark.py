"""Every method on the same timelines: how soon it is right, how often it is not, which faults it notices.

For each set of sensors: healthy timelines, and timelines in which one of them fails (or two of four). What a
fault costs is judged from 20 s after the first contradiction on, against the same timeline without the
faulty sensor; a dispute of two against two and a swapped sensor of two should be answered `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.config.robot import FusionConfig
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.evaluation.bundle_evaluation import embedder, recordings_by_modality
from omnibind_ros.host.evaluation.confidence import expected_calibration_error
from omnibind_ros.host.evaluation.timelines.methods import NOTHING, Method, make_methods
from omnibind_ros.host.evaluation.timelines.shelf import Shelf, fill_shelf, samples_of
from omnibind_ros.host.evaluation.timelines.simulation import (
    FAULTS,
    FEW_CLASSES,
    START,
    Fault,
    Scene,
    Timeline,
    common_classes,
    draw_scenes,
    simulate,
)
from omnibind_ros.names import nearest
from omnibind_ros.types import Modality

_STEP_S = 0.05
_WARM_UP_S = 4.0
_HEALTHY_S, _FAULTY_S, _STILL_S = 90.0, 66.0, 120.0
_FAULT_AT_S, _SETTLED_AFTER_S = 5.0, 20.0
_PER_SIZE = 3
_FOR_DISPUTE = 4


@dataclass(frozen=True, eq=False)
class _Run:
    """A method's answers to a timeline, at the times `at` [T] (s).

    Attributes:
        label: [T], the answered class or `NOTHING`; unknown, dispute: bool [T].
        best, probability: [T], the likeliest class and its probability.
        alarms: (time, sensor) of each sensor that became faulty; suspicions: likewise, when it was reported
            as anything else than fresh.
    """

    timeline: Timeline
    at: NDArray[np.float64]
    truth: NDArray[np.intp]
    label: NDArray[np.intp]
    unknown: NDArray[np.bool_]
    dispute: NDArray[np.bool_]
    best: NDArray[np.intp]
    probability: NDArray[np.float64]
    alarms: tuple[tuple[float, str], ...]
    suspicions: tuple[tuple[float, str], ...]


def evaluate_timelines(
    bundle: Bundle,
    recordings: Iterable[Recording],
    *,
    sets: Sequence[Sequence[Modality]] = (),
    config: FusionConfig | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Run the benchmark.

    Args:
        sets: modalities whose sensors take part, one list a robot; by default all single ones that have
            recordings or a simulation, and up to three drawn sets of each size.

    Returns:
        Plain data. `healthy`: by set and method, `reaction_s` (median and p90 of the time to the first right
        answer after a change), shares of time `wrong`, `unknown`, `not_right`, and `ece`. `faults`: by set,
        fault and method, `not_right`, `wrong`, `unknown` once the contradiction has lasted 20 s, `without`
        (not right without the faulty sensor) and `noticed_s` (null = never). `false_alarms`, of healthy
        sensors where nothing is wrong, scenes changing and still, and beside a fault: `count`, `hours`
        of sensors, `per_hour`.

    Raises:
        ConfigError: a modality of `sets` without an encoder or without recordings.
    """
    shelves = _shelves(bundle, recordings, {m for sensors in sets for m in sensors}, seed)
    chosen = [tuple(s) for s in sets] or _draw_sets(tuple(shelves), seed)
    bench = _Bench(bundle, config or FusionConfig(), shelves, seed)
    healthy: dict[str, Any] = {}
    faults: dict[str, Any] = {}
    for number, sensors in enumerate(track(chosen, "timelines", transient=True)):
        name = " + ".join(sensors)
        healthy[name] = bench.healthy(sensors, number)
        if len(sensors) > 1:
            faults[name] = bench.faults(sensors, number)
    return {
        "healthy": healthy,
        "faults": faults,
        "false_alarms": {
            "nothing wrong": bench.healthy_alarms.table(),
            "beside a fault": bench.other_alarms.table(),
        },
    }


class _Alarms:
    """Healthy sensors that were reported as faulty."""

    def __init__(self) -> None:
        self._count, self._hours = 0, 0.0

    def add(self, run: _Run, healthy: Sequence[Modality]) -> None:
        self._count += sum(sensor in healthy for _, sensor in run.alarms)
        self._hours += len(healthy) * run.timeline.duration_s / 3600

    def table(self) -> dict[str, Any]:
        per_hour = self._count / self._hours if self._hours else 0.0
        return {"count": self._count, "hours": round(self._hours, 3), "per_hour": round(per_hour, 3)}


class _Bench:
    def __init__(
        self, bundle: Bundle, config: FusionConfig, shelves: Mapping[Modality, Shelf], seed: int
    ) -> None:
        self._methods = make_methods(bundle, config)
        self._space = bundle.space
        self._shelves = shelves
        self._seed = seed
        self.healthy_alarms, self.other_alarms = _Alarms(), _Alarms()

    def healthy(self, sensors: Sequence[Modality], number: int) -> dict[str, Any]:
        """Nothing is wrong: a changing scene and a still one."""
        rng, own = self._rng(number), {m: self._shelves[m] for m in sensors}
        scenes = draw_scenes(own, _HEALTHY_S, rng)
        changing = simulate(own, self._space, scenes, _HEALTHY_S, number)
        still = simulate(own, self._space, [Scene(0.0, scenes[0].label, scenes[0].moment)], _STILL_S, number)
        table = {}
        for name, make in self._methods.items():
            run = _run(changing, make)
            table[name] = {**_reaction(run), **_shares(run, _WARM_UP_S), "ece": _ece(run)}
            if name == "memory":
                at_rest = _run(still, make)
                table[name]["still_not_right"] = _shares(at_rest, _WARM_UP_S)["not_right"]
                self.healthy_alarms.add(run, sensors)
                self.healthy_alarms.add(at_rest, sensors)
        return table

    def faults(self, sensors: Sequence[Modality], number: int) -> dict[str, Any]:
        """One sensor is faulty, another one for each set; and two of four."""
        own = {m: self._shelves[m] for m in sensors}
        scenes = draw_scenes(own, _FAULTY_S, self._rng(number))
        table = {}
        for kind in FAULTS:
            dispute = kind == "two against two"
            if dispute and (len(sensors) != _FOR_DISPUTE or len(common_classes(own)) < FEW_CLASSES):
                continue
            faulty = tuple(sensors[:2]) if dispute else (sensors[number % len(sensors)],)
            rest = {m: shelf for m, shelf in own.items() if m not in faulty}
            timeline = simulate(own, self._space, scenes, _FAULTY_S, number, Fault(kind, faulty, _FAULT_AT_S))
            without = simulate(rest, self._space, scenes, _FAULTY_S, number)
            begin = timeline.contradicted_s + _SETTLED_AFTER_S
            rows = {}
            for name, make in self._methods.items():
                run = _run(timeline, make)
                rows[name] = {
                    **_shares(run, begin),
                    "without": _shares(_run(without, make), begin)["not_right"],
                }
                if name == "memory":
                    rows[name]["noticed_s"] = _noticed(run)
                    self.other_alarms.add(run, list(rest))
            table[kind] = {"faulty": list(faulty), "methods": rows}
        return table

    def _rng(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, number])


def _shelves(
    bundle: Bundle, recordings: Iterable[Recording], wanted: Collection[Modality], seed: int
) -> dict[Modality, Shelf]:
    """Of the modalities that are wanted; if none is, of all that have samples."""
    labels, order = LabelBank.load(bundle.labels_path).names, bundle.manifest.fusion.modalities
    found = recordings_by_modality(recordings, order)
    shelves = {}
    for modality in wanted or order:
        if modality not in bundle.manifest.encoders:
            if not wanted:
                continue
            raise ConfigError(
                f"timelines: bundle {bundle.name!r} has no encoder for {modality!r}"
                f"{nearest(modality, bundle.manifest.encoders)}"
            )
        encoder = SensorEncoder.open(bundle, modality, modality)
        samples = samples_of(modality, found.get(modality, []), labels, seed)
        if samples:
            shelves[modality] = fill_shelf(samples, encoder.adaptor, embedder(encoder), labels, seed)
        encoder.close()
        if wanted and not samples:
            raise ConfigError(f"timelines: there are no recordings of {modality!r} in this split")
    return shelves


def _draw_sets(modalities: Sequence[Modality], seed: int) -> list[tuple[Modality, ...]]:
    rng = np.random.default_rng(seed)
    drawn: list[tuple[Modality, ...]] = []
    for size in range(1, len(modalities) + 1):
        every = list(combinations(modalities, size))
        most = len(every) if size == 1 else min(_PER_SIZE, len(every))
        drawn += [every[i] for i in sorted(rng.permutation(len(every))[:most].tolist())]
    return drawn


def _run(timeline: Timeline, make: Callable[[Timeline], Method]) -> _Run:
    method, times = make(timeline), np.arange(0.0, timeline.duration_s, _STEP_S)
    said, alarms, suspicions, next_one = [], [], [], 0
    faulty: frozenset[str] = frozenset()
    suspect: frozenset[str] = frozenset()
    for at in times:
        now = START + round(float(at) * 1e9)
        while next_one < len(timeline.embeddings) and timeline.embeddings[next_one].stamp <= now:
            embedding = timeline.embeddings[next_one]
            method.update(embedding, embedding.stamp)
            next_one += 1
        said.append(method.answer(now))
        alarms += [(float(at), sensor) for sensor in sorted(said[-1].faulty - faulty)]
        suspicions += [(float(at), sensor) for sensor in sorted(said[-1].suspect - suspect)]
        faulty, suspect = said[-1].faulty, said[-1].suspect
    labels, unknown, best, probability, _, dispute, _ = zip(*said, strict=True)
    return _Run(
        timeline,
        times,
        timeline.truth(times),
        np.array(labels),
        np.array(unknown),
        np.array(dispute),
        np.array(best),
        np.array(probability),
        tuple(alarms),
        tuple(suspicions),
    )


def _reaction(run: _Run) -> dict[str, Any]:
    """Seconds from each change of the scene to the first right answer; none before the next change = null."""
    took = []
    begins = [scene.begin_s for scene in run.timeline.scenes] + [run.timeline.duration_s]
    for begin, end in pairwise(begins[1:]):
        during = (run.at >= begin) & (run.at < end)
        right = np.flatnonzero(run.label[during] == run.truth[during])
        took.append(float(run.at[during][right[0]] - begin) if len(right) else np.inf)
    if not took:
        return {"reaction_s": {"median": None, "p90": None, "changes": 0}}
    median, p90 = np.quantile(took, [0.5, 0.9], method="higher")
    return {"reaction_s": {"median": _finite(median), "p90": _finite(p90), "changes": len(took)}}


def _shares(run: _Run, begin: float) -> dict[str, Any]:
    """Shares of the time from `begin` on; null where there is none."""
    judged = run.at >= begin
    if not judged.any():
        return dict.fromkeys(("wrong", "unknown", "not_right"))
    label, truth = run.label[judged], run.truth[judged]
    return {
        "wrong": round(float(np.mean((label != truth) & (label != NOTHING))), 4),
        "unknown": round(float(np.mean(run.unknown[judged])), 4),
        "not_right": round(float(np.mean(label != truth)), 4),
    }


def _ece(run: _Run) -> float | None:
    """Expected calibration error of the likeliest class, changes included."""
    judged = (run.at >= _WARM_UP_S) & (run.best != NOTHING)
    if not judged.any():
        return None
    confidence, right = run.probability[judged], run.best[judged] == run.truth[judged]
    rows = np.stack([confidence, np.minimum(1 - confidence, confidence - 1e-9)], axis=1)
    return round(expected_calibration_error(rows, np.where(right, 0, 1)), 4)


def _noticed(run: _Run) -> float | None:
    """Seconds from the first contradiction until a faulty sensor, or a dispute, is reported."""
    fault, begin = run.timeline.fault, run.timeline.contradicted_s
    assert fault is not None
    if fault.kind == "two against two" or len(run.timeline.sensors) == len(fault.sensors) + 1:
        disputed = run.at[run.dispute & (run.at >= begin)][:1].tolist()
    else:
        disputed = []
    harmless = fault.kind in ("dropping", "degrading")  # a warning is enough
    reports = run.suspicions if harmless else run.alarms
    alarms = [at for at, sensor in reports if sensor in fault.sensors and at >= begin]
    first = min([*alarms, *disputed], default=np.inf)
    return _finite(first - begin)


def _finite(seconds: float) -> float | None:
    return round(float(seconds), 3) if np.isfinite(seconds) else None
