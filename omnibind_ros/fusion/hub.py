"""The one object a shell drives: embeddings in, recognitions out.

- `hub.update(embedding, now)`: a message arrived; `hub.live_set` takes everything else that happens;
- `hub.live_set.advance(now)`: what changed since the last call, so that a shell can publish at once;
- `hub.step(now) -> Recognition`: the answer of the sensors that are live now.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.bundle.label_bank import LabelBank
from omnibind_ros.errors import SpaceMismatch
from omnibind_ros.fusion.adaptive_fusion import Fusion
from omnibind_ros.fusion.calibration import Calibration
from omnibind_ros.fusion.live_set import Freshness, LiveSet
from omnibind_ros.types import UNKNOWN, Contribution, Embedding, LabelScore, Recognition, SensorStatus, Space


class FusionHub:
    """Live set, fusion, label bank and calibration, put together.

    Args:
        unknown_threshold: replaces the calibrated one.

    Attributes:
        top_k: how many labels an answer ranks, not counting `unknown`; may be set.
        unknown_threshold: in force.
        live_set: which sensors count; arrivals, departures, muting and changes go there directly.
        left_out: live sensors that the latest step had no room for.

    Raises:
        SpaceMismatch: the label bank lives in a space of another dimension.
    """

    def __init__(
        self,
        fusion: Fusion,
        labels: LabelBank,
        calibration: Calibration,
        space: Space,
        freshness: Freshness | None = None,
        *,
        top_k: int = 3,
        unknown_threshold: float | None = None,
    ) -> None:
        if labels.dim != space.dim:
            raise SpaceMismatch(
                f"the label bank has dimension {labels.dim}, the space {space.id!r} has {space.dim}; "
                "take both from one bundle"
            )
        self.live_set = LiveSet(space, freshness)
        self.left_out: tuple[str, ...] = ()
        self.top_k = top_k
        self._fusion = fusion
        self._labels = labels
        self._calibration = calibration
        self.set_unknown_threshold(unknown_threshold)
        self._weights: dict[str, float] = {}

    def set_unknown_threshold(self, threshold: float | None) -> None:
        """Below this probability the answer is `unknown`; None = as calibrated."""
        self.unknown_threshold = self._calibration.unknown_threshold if threshold is None else threshold

    def update(self, embedding: Embedding, now: int) -> bool:
        """An embedding arrived; True if it is now its sensor's newest."""
        return self.live_set.update(embedding, now)

    def step(self, now: int) -> Recognition:
        """What the sensors that are live at `now` (ns) show together; no labels without any."""
        live = self.live_set.live(now)
        if not live:
            self._weights, self.left_out = {}, ()
            return Recognition(stamp=now)
        fused = self._fusion.fuse(live)
        self.left_out = fused.left_out
        self._weights = {e.sensor: float(weight) for e, weight in zip(live, fused.weights, strict=True)}
        cosines = self._labels.similarity(fused.vector)
        heaviest_first = sorted(self._weights.items(), key=lambda item: -item[1])
        return Recognition(
            stamp=max(e.stamp for e in live),
            labels=self._ranked(self._calibration.probabilities(cosines, len(live) - len(fused.left_out))),
            contributions=tuple(Contribution(sensor, weight) for sensor, weight in heaviest_first),
            fused=fused.vector,
        )

    def statuses(self, now: int) -> tuple[SensorStatus, ...]:
        """A line per known sensor, ordered by name, with its share of the latest step."""
        return tuple(self._with_weight(status) for status in self.live_set.statuses(now))

    def _ranked(self, probabilities: NDArray[np.float64]) -> tuple[LabelScore, ...]:
        order = np.argsort(-probabilities, kind="stable")[: max(1, self.top_k)]
        ranked = tuple(LabelScore(self._labels.names[k], float(probabilities[k])) for k in order)
        best = ranked[0].score
        if best >= self.unknown_threshold:
            return ranked
        # Never below the best label's score, so that sorting by score keeps the order of the list.
        return LabelScore(UNKNOWN, max(best, 1 - best)), *ranked

    def _with_weight(self, status: SensorStatus) -> SensorStatus:
        if status.sensor in self.left_out:
            status = replace(status, reason="live, but fusion takes no more sensors: better ones were kept")
        return replace(status, weight=self._weights.get(status.sensor, 0.0))
