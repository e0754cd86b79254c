"""Embeddings in, recognitions out: live set -> fusion -> label bank -> temperature scaling -> ranking.

    core = FusionCore.open(bundle, config)
    core.update(embedding, now)       an embedding arrived; `core.live_set` takes everything else that happens
    core.live_set.advance(now)        what changed since the last call
    core.step(now) -> Recognition     the answer of the sensors that are live now

Pure: no clock is read, no thread is started, nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.bundle.temperature_scaling import TemperatureScaling
from omnibind_ros.config.robot import Freshness, FusionConfig
from omnibind_ros.errors import BackendError, BundleError, SpaceMismatch
from omnibind_ros.fusion.adaptive_fusion import AdaptiveFusion
from omnibind_ros.fusion.live_set import LiveSet
from omnibind_ros.fusion.ranking import rank
from omnibind_ros.types import Contribution, Embedding, Modality, Recognition, SensorStatus, Space


class FusionCore:
    """Live set, fusion, label bank and temperature scaling, put together.

    Args:
        expected_periods: see `LiveSet`.

    Attributes:
        labels: what is recognised.
        live_set: which sensors are fused; everything but embeddings is reported to it directly.
        left_out: live sensors that the latest step had no room for.
        top_k: number of labels in an answer, not counting `unknown`; may be set.
        unknown_threshold: probability below which the answer is `unknown`; may be set.

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
    ) -> None:
        if labels.dim != space.dim:
            raise SpaceMismatch(
                f"the label bank has dimension {labels.dim}, the space {space.id!r} has {space.dim}; "
                "take both from one bundle"
            )
        self.labels = labels
        self.live_set = LiveSet(space, freshness, expected_periods)
        self.left_out: tuple[str, ...] = ()
        self.top_k = 3
        self.unknown_threshold = scaling.unknown_threshold
        self._fusion = fusion
        self._scaling = scaling
        self._weights: dict[str, float] = {}

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
            fusion, labels, bundle.manifest.calibration, bundle.space, expected_periods=_intervals(bundle)
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

    def update(self, embedding: Embedding, now: int) -> bool:
        """An embedding arrived; True if it is its sensor's newest from now on."""
        return self.live_set.update(embedding, now)

    def step(self, now: int) -> Recognition:
        """The answer of the sensors that are live at `now` (ns); no labels if none is."""
        live = self.live_set.live(now)
        if not live:
            self._weights, self.left_out = {}, ()
            return Recognition(stamp=now)
        fused = self._fusion.fuse(live)
        self.left_out = fused.left_out
        self._weights = {e.sensor: float(weight) for e, weight in zip(live, fused.weights, strict=True)}
        cosines = self.labels.similarity(fused.vector)
        probabilities = self._scaling.probabilities(cosines, len(live) - len(fused.left_out))
        heaviest_first = sorted(self._weights.items(), key=lambda item: -item[1])
        return Recognition(
            stamp=max(e.stamp for e in live if e.sensor not in fused.left_out),
            labels=rank(
                probabilities, self.labels.names, top_k=self.top_k, unknown_threshold=self.unknown_threshold
            ),
            contributions=tuple(Contribution(sensor, weight) for sensor, weight in heaviest_first),
            fused=fused.vector,
        )

    def statuses(self, now: int) -> tuple[SensorStatus, ...]:
        """A line per known sensor, ordered by name, with its share of the latest step."""
        return tuple(self._with_weight(status) for status in self.live_set.statuses(now))

    def _with_weight(self, status: SensorStatus) -> SensorStatus:
        if status.sensor in self.left_out:
            status = replace(status, reason="live, but the fusion model takes no more sensors: not used")
        return replace(status, weight=self._weights.get(status.sensor, 0.0))


def _intervals(bundle: Bundle) -> dict[Modality, float]:
    """Seconds between two samples of the modalities that are sampled at a fixed interval."""
    hops = {m: entry.preprocessing.get("hop_s") for m, entry in bundle.manifest.encoders.items()}
    return {modality: float(hop) for modality, hop in hops.items() if isinstance(hop, (int, float))}
