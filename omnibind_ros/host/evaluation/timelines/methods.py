"""Ways to get from embeddings in time to an answer: the fusion core with its memory, and its rivals.

`oracle` knows which samples are of the scene that is true now, and takes no others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.temperature_scaling import TemperatureScaling, softmax
from omnibind_ros.config.robot import FusionConfig, MemoryConfig
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion
from omnibind_ros.fusion.core import FusionCore
from omnibind_ros.fusion.live_set import LiveSet
from omnibind_ros.host.evaluation.timelines.simulation import START, Timeline
from omnibind_ros.types import UNKNOWN, Embedding, SensorState

NOTHING = -1
"""Class index of an answer that is `unknown` or empty."""

_NOISE = 0.01
_AGE_S = 1.0
_THRESHOLD = 0.5


class Said(NamedTuple):
    """An answer: its class or `NOTHING`, whether it is `unknown`, the likeliest class and its probability,
    sensors reported as faulty, and as anything else than fresh, and whether a dispute is reported."""

    label: int
    unknown: bool = False
    best: int = NOTHING
    probability: float = 0.0
    faulty: frozenset[str] = frozenset()
    dispute: bool = False
    suspect: frozenset[str] = frozenset()


class Method(Protocol):
    """Takes embeddings in the order of time and answers at any time (ns)."""

    def update(self, embedding: Embedding, now: int) -> None: ...

    def answer(self, now: int) -> Said: ...


def make_methods(bundle: Bundle, config: FusionConfig) -> dict[str, Callable[[Timeline], Method]]:
    """All of them by name, the fusion core first; each is made anew for a timeline."""
    labels, entry = LabelBank.load(bundle.labels_path), bundle.manifest.fusion
    model = AdaptiveFusion(
        bundle.load_fusion(threads=config.threads).run,
        entry.modalities,
        entry.max_sensors,
        labels.class_centres,
    )
    core = FusionCore.open(bundle, config)
    scaling = bundle.manifest.calibration
    rivals: dict[str, Callable[[Timeline], Method]] = {
        "memory": lambda timeline: _Memory(FusionCore.open(bundle, config)),
        "snapshot": lambda timeline: _Snapshot(_Live(core, config), model, scaling),
        "snapshot with ages": lambda timeline: _Aged(_Live(core, config)),
        "newest sensor": lambda timeline: _Newest(_Live(core, config)),
        "Bayes filter": lambda timeline: _Filter(_Live(core, config), config.memory),
        "oracle": lambda timeline: _Oracle(_Live(core, config), timeline),
    }
    return rivals


class _Memory:
    """The fusion core as a robot runs it."""

    def __init__(self, core: FusionCore) -> None:
        self._core = core
        self._index = {name: k for k, name in enumerate(core.labels.names)}

    def update(self, embedding: Embedding, now: int) -> None:
        self._core.update(embedding, now)

    def answer(self, now: int) -> Said:
        labels = self._core.step(now).labels
        statuses = self._core.statuses(now)
        faulty = frozenset(s.sensor for s in statuses if s.state is SensorState.FAULTY)
        suspect = frozenset(
            s.sensor for s in statuses if s.state is not SensorState.LIVE or "shows little" in s.reason
        )
        if not labels:
            return Said(NOTHING, faulty=faulty, suspect=suspect)
        unknown = labels[0].label == UNKNOWN
        best = labels[1] if unknown else labels[0]
        index = self._index[best.label]
        known = 1 - labels[0].score if unknown else 1.0
        probability = best.score / known if known > 0 else 1 / len(self._index)
        label = NOTHING if unknown else index
        return Said(label, unknown, index, probability, faulty, bool(self._core.dispute), suspect)


class _Live:
    """Which sensors are live, and what the newest sample of each shows: what all rivals start from."""

    def __init__(self, core: FusionCore, config: FusionConfig) -> None:
        self._core = core
        self.set = LiveSet(core.space, config.freshness)
        self.shown: dict[str, NDArray[np.float64]] = {}
        self.classes = len(core.labels.names)

    def update(self, embedding: Embedding, now: int) -> NDArray[np.float64]:
        self.set.update(embedding, now)
        shown = self._core.probabilities(embedding).astype(np.float64)
        self.shown[embedding.sensor] = (1 - _NOISE) * shown + _NOISE / self.classes
        return self.shown[embedding.sensor]

    def similarity(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._core.labels.similarity(vector)


class _Rival:
    def __init__(self, live: _Live) -> None:
        self._live = live

    def update(self, embedding: Embedding, now: int) -> None:
        self._live.update(embedding, now)

    def answer(self, now: int) -> Said:
        live = self._live.set.live(now)
        return _said(self._combine(live, now), _THRESHOLD) if live else Said(NOTHING)

    def _combine(self, live: tuple[Embedding, ...], now: int) -> NDArray[np.float64]:
        raise NotImplementedError


class _Snapshot(_Rival):
    """The newest sample of each live sensor through the bundle's fusion model, whatever their ages."""

    def __init__(self, live: _Live, model: AdaptiveFusion, scaling: TemperatureScaling) -> None:
        super().__init__(live)
        self._model, self._scaling = model, scaling

    def _combine(self, live: tuple[Embedding, ...], now: int) -> NDArray[np.float64]:
        cosines = self._live.similarity(self._model.fuse(live).vector)
        return self._scaling.probabilities(cosines, len(live))


class _Aged(_Rival):
    """The same as a product of probabilities, each to the power exp(-age / 1 s)."""

    def _combine(self, live: tuple[Embedding, ...], now: int) -> NDArray[np.float64]:
        powers = [np.exp(-((now - e.stamp) / 1e9 + e.span) / _AGE_S) for e in live]
        logs = [np.log(self._live.shown[e.sensor]) for e in live]
        return softmax(np.sum([p * log for p, log in zip(powers, logs, strict=True)], axis=0))


class _Newest(_Rival):
    """The newest sample of all."""

    def _combine(self, live: tuple[Embedding, ...], now: int) -> NDArray[np.float64]:
        return self._live.shown[max(live, key=lambda e: e.stamp).sensor]


class _Filter(_Rival):
    """Every sample is evidence of the scene at its stamp; the scene changes at the configured rate."""

    def __init__(self, live: _Live, config: MemoryConfig) -> None:
        super().__init__(live)
        self._rate = config.scene_change_hz
        self._belief = np.full(live.classes, 1 / live.classes)
        self._at = START

    def update(self, embedding: Embedding, now: int) -> None:
        self._belief = self._aged(now) * self._live.update(embedding, now)
        self._belief /= self._belief.sum()
        self._at = now

    def _combine(self, live: tuple[Embedding, ...], now: int) -> NDArray[np.float64]:
        return self._aged(now)

    def _aged(self, now: int) -> NDArray[np.float64]:
        stays = np.exp(-self._rate * (now - self._at) / 1e9)
        aged: NDArray[np.float64] = stays * self._belief + (1 - stays) / self._live.classes
        return aged


class _Oracle(_Rival):
    """The product of the newest samples of healthy sensors that began in the scene that is true now."""

    def __init__(self, live: _Live, timeline: Timeline) -> None:
        super().__init__(live)
        self._begins = np.array([scene.begin_s for scene in timeline.scenes])
        self._faulty: Collection[str] = timeline.fault.sensors if timeline.fault else ()

    def _combine(self, live: tuple[Embedding, ...], now: int) -> NDArray[np.float64]:
        at = (now - START) / 1e9
        begin = self._begins[np.searchsorted(self._begins, at, side="right") - 1]
        current = [
            e for e in live if (e.stamp - START) / 1e9 - e.span >= begin and e.sensor not in self._faulty
        ]
        if not current:
            return np.full(self._live.classes, 1 / self._live.classes)
        return softmax(np.sum([np.log(self._live.shown[e.sensor]) for e in current], axis=0))


def _said(probabilities: NDArray[np.float64], threshold: float) -> Said:
    best = int(probabilities.argmax())
    probability = float(probabilities[best])
    unknown = probability < threshold
    return Said(NOTHING if unknown else best, unknown, best, probability)
