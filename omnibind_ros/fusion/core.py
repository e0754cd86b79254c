"""Embeddings in, recognitions out.

    live set       which sensors take part
    scene memory   what the scene is, from the newest sample of each, and who of them is healthy
    fusion model   the fused embedding and the weights
    ranking        the answer

    core = FusionCore.open(bundle, config)
    core.update(embedding, now)       an embedding arrived; `core.live_set` takes everything else that happens
    core.live_set.advance(now)        what changed since the last call
    core.step(now) -> Recognition     the answer of the sensors that are live now

Pure: no clock is read, no thread is started, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.temperature_scaling import TemperatureScaling, sample_probabilities
from omnibind_ros.config.robot import Freshness, FusionConfig
from omnibind_ros.errors import BackendError, BundleError, SpaceMismatch
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion
from omnibind_ros.fusion.health import SETTLED
from omnibind_ros.fusion.live_set import LiveSet
from omnibind_ros.fusion.ranking import rank
from omnibind_ros.fusion.scene_memory import SceneMemory
from omnibind_ros.fusion.tracked_sensor import SECOND
from omnibind_ros.types import (
    Contribution,
    Embedding,
    Modality,
    Recognition,
    SensorState,
    SensorStatus,
    Space,
)

_MOST_CLASSES = 1024
"""Of more classes, only the likeliest are compared with the embeddings when these are weighed."""

_HEALTHY = 0.9
"""Probability from which a sensor's weight is not lowered by its health."""


class FusionCore:
    """Live set, scene memory, fusion model and label bank, put together.

    Args:
        expected_periods: see `LiveSet`.
        spans: seconds that a sample of a modality lasts, where its embeddings do not tell.

    Attributes:
        labels: what is recognised.
        space: what embeddings must live in.
        live_set: which sensors are fused; everything but embeddings is reported to it directly.
        left_out: live sensors that the latest step had no room for.
        top_k: number of labels in an answer, not counting `unknown`; may be set.
        unknown_threshold: probability below which the answer is `unknown`; may be set.
        dispute: which live sensors contradict each other, if it is open which are right; else "".

    Raises:
        SpaceMismatch: the label bank lives in a space of another dimension.
    """

    def __init__(
        self,
        fusion: AdaptiveFusion,
        labels: LabelBank,
        scaling: TemperatureScaling,
        space: Space,
        freshness: Freshness | None = None,
        *,
        expected_periods: Mapping[Modality, float] | None = None,
        spans: Mapping[Modality, float] | None = None,
    ) -> None:
        if labels.dim != space.dim:
            raise SpaceMismatch(
                f"the label bank has dimension {labels.dim}, the space {space.id!r} has {space.dim}; "
                "take both from one bundle"
            )
        self.labels = labels
        self.space = space
        self.live_set = LiveSet(space, freshness, expected_periods)
        self.left_out: tuple[str, ...] = ()
        self.top_k = 3
        self.unknown_threshold = scaling.unknown_threshold
        self.dispute = ""
        self._fusion = fusion
        self._scaling = scaling
        self._memory = SceneMemory(len(labels.names))
        self._spans = spans or {}
        self._weights: dict[str, float] = {}
        self._outdated: frozenset[str] = frozenset()
        self._now = 0

    @classmethod
    def open(cls, bundle: Bundle, config: FusionConfig) -> FusionCore:
        """Load the fusion model and the labels of a bundle and apply the configuration.

        Raises:
            BundleError: parts of the bundle do not fit together.
            BackendError: the fusion model cannot be run here.
        """
        labels, entry = LabelBank.load(bundle.labels_path), bundle.manifest.fusion
        run = bundle.load_fusion(threads=config.threads).run
        fusion = AdaptiveFusion(run, entry.modalities, entry.max_sensors, labels.class_centres)
        core = cls(
            fusion,
            labels,
            bundle.manifest.calibration,
            bundle.space,
            expected_periods=_constants(bundle, "hop_s"),
            spans=_constants(bundle, "window_s"),
        )
        try:
            fusion.warm_up()
        except BackendError as error:
            raise BundleError(
                f"{bundle.fusion_path} does not fit labels and manifest: {error}; export the bundle again"
            ) from error
        core.apply(config)
        return core

    def apply(self, config: FusionConfig) -> None:
        """Replace the settings that may change while it runs: all but `threads`."""
        threshold = config.unknown_threshold
        self.top_k = config.top_k
        self.unknown_threshold = self._scaling.unknown_threshold if threshold is None else threshold
        self.live_set.freshness = config.freshness
        self.live_set.mute(config.muted_sensors)
        self._memory.apply(config.memory, config.freshness.stuck_after_s)

    def update(self, embedding: Embedding, now: int) -> bool:
        """An embedding arrived; True if it is its sensor's newest from now on."""
        if not self.live_set.update(embedding, now):
            return False
        newest = self.live_set.newest(embedding.sensor)
        if newest is not None:
            self._check_clock(now)
            modality = newest.modality
            self._memory.observe(
                newest,
                self.probabilities(newest),
                newest.span or self._spans.get(modality, 0.0),
                self.live_set.timeout(newest.sensor),
                held=self.live_set.holds(modality),
            )
        return True

    def step(self, now: int) -> Recognition:
        """The answer of the sensors that are live at `now` (ns); no labels if none is."""
        self._check_clock(now)
        self._judge(now)
        live = self.live_set.live(now)
        if not live:
            self._weights, self.left_out, self._outdated, self.dispute = {}, (), frozenset(), ""
            return Recognition(stamp=now)
        sensors = [e.sensor for e in live]
        belief = self._memory.belief(sensors, now)
        self.dispute = self._memory.health.dispute(sensors)
        self._outdated = belief.outdated
        fused = self._fusion.fuse(
            [self._trusted(e) for e in live if e.sensor not in belief.outdated],
            belief.likeliest(_MOST_CLASSES),
        )
        self.left_out = fused.left_out
        current = (e.sensor for e in live if e.sensor not in belief.outdated)
        self._weights = dict.fromkeys(sensors, 0.0) | dict(zip(current, fused.weights.tolist(), strict=True))
        heaviest_first = sorted(self._weights.items(), key=lambda item: -item[1])
        return Recognition(
            stamp=max(e.stamp for e in live if e.sensor not in fused.left_out),
            labels=rank(
                belief.now(),
                self.labels.names,
                top_k=self.top_k,
                unknown_threshold=belief.aged(
                    max(self.unknown_threshold, SETTLED) if self.dispute else self.unknown_threshold
                ),
            ),
            contributions=tuple(Contribution(sensor, weight) for sensor, weight in heaviest_first),
            fused=fused.vector,
        )

    def statuses(self, now: int) -> tuple[SensorStatus, ...]:
        """A line per known sensor, ordered by name, with its share of the latest step."""
        return tuple(self._with_weight(status) for status in self.live_set.statuses(now))

    def reset(self, now: int) -> None:
        """The clock jumped: what arrived before is invalid, except what is held without limit."""
        self.live_set.reset(now)
        self._memory.reset()

    def probabilities(self, embedding: Embedding) -> NDArray[np.float32]:
        """What one embedding shows: softmax(exp(evidence) cosines), float32 [K]."""
        return sample_probabilities(self.labels.similarity(embedding.vector), embedding.evidence)

    def _judge(self, now: int) -> None:
        """Tell the live set which sensors are faulty."""
        self._memory.judge(now)
        for sensor in self._memory.sensors:
            self.live_set.distrust(sensor, self._memory.health.fault(sensor, now), now)

    def _check_clock(self, now: int) -> None:
        if now < self._now - SECOND:
            self._memory.reset()
            self._now = now
        self._now = max(self._now, now)

    def _trusted(self, embedding: Embedding) -> Embedding:
        health = self._memory.health.health(embedding.sensor)
        return embedding if health > _HEALTHY else replace(embedding, quality=embedding.quality * health)

    def _with_weight(self, status: SensorStatus) -> SensorStatus:
        if status.sensor in self.left_out:
            status = replace(status, reason="live, but the fusion model takes no more sensors: not used")
        elif status.sensor in self._outdated and status.state is SensorState.LIVE:
            status = replace(status, reason="fresh, but its latest sample began before the scene changed")
        elif status.state is SensorState.LIVE and (warning := self._memory.health.warning(status.sensor)):
            status = replace(status, reason=f"{status.reason}, but it {warning}")
        valid = self.live_set.is_valid(status.sensor)
        health = self._memory.health.health(status.sensor) if valid else 0.0
        return replace(status, weight=self._weights.get(status.sensor, 0.0), health=health)


def _constants(bundle: Bundle, name: str) -> dict[Modality, float]:
    """A preprocessing constant, in seconds, of the modalities that have it."""
    found = {m: entry.preprocessing.get(name) for m, entry in bundle.manifest.encoders.items()}
    return {modality: float(value) for modality, value in found.items() if isinstance(value, (int, float))}
