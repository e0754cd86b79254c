"""What the scene is now, from samples of different age and sensors of different health.

    memory.observe(embedding, probabilities, span, pause)    a sample: evidence once, dated when it began
    memory.judge(now)                             who is healthy
    memory.belief(sensors, now) -> Belief         the classes, from the newest sample of each of `sensors`

The scene changes at a rate. A sample describes the scene when it *began*; of samples in the order of their
beginnings, the scene may have changed between any two, so what a newer one shows outweighs what an older one
shows, the more the further they are apart (forward filter of a hidden Markov model over the newest samples):

    b_0 = 1 / K       b_i ~ (s_i b_{i-1} + (1 - s_i) / K) r_i       s_i = exp(-rate (t_i - t_{i-1}))
    r_i = trust_i p_i + (1 - trust_i) / K                            trust_i = (1 - noise) quality_i

One sensor alone has no noise: its probabilities are calibrated as they are. Only the newest sample of a
sensor counts: what it repeats is no news, and an answer never rests on sensors that have left. The beliefs of
likely sets of healthy sensors are averaged (`agreement.py`).

Pure: it is handed the time. Memory: a `Track` per sensor.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.config.robot import MemoryConfig
from omnibind_ros.fusion.health import HealthMonitor
from omnibind_ros.fusion.track import Track
from omnibind_ros.types import Embedding

_SECOND = 1_000_000_000
_COMPARABLE = 5 * _SECOND
"""Age beyond which a sensor's samples are no longer compared."""

_MOST_TRACKS = 256
_AGREES, _OUTDATED = 0.5, 0.1


@dataclass(frozen=True, eq=False)
class Belief:
    """What the scene is.

    Attributes:
        probabilities: float64 [K], when the newest sample began.
        kept: probability that the scene is still the same now.
        outdated: sensors whose newest sample is of a scene before.
    """

    probabilities: NDArray[np.float64]
    kept: float
    outdated: frozenset[str]

    def now(self) -> NDArray[np.float64]:
        """The probabilities by now: the scene may have changed to any class meanwhile."""
        return self.kept * self.probabilities + (1 - self.kept) / len(self.probabilities)

    def likeliest(self, count: int) -> NDArray[np.intp] | None:
        """The most probable classes, in no order; None = there are no more than `count`."""
        if len(self.probabilities) <= count:
            return None
        return np.argpartition(self.probabilities, -count)[-count:]

    def aged(self, probability: float) -> float:
        """A probability when the newest sample began -> the one by now."""
        return self.kept * probability + (1 - self.kept) / len(self.probabilities)


class SceneMemory:
    """Tracks of all sensors.

    Args:
        classes: K.

    Attributes:
        health: of the sensors.
    """

    def __init__(self, classes: int, config: MemoryConfig | None = None) -> None:
        self._classes = classes
        self._config = config or MemoryConfig()
        self._tracks: dict[str, Track] = {}
        self._quality: dict[str, float] = {}
        self._held: set[str] = set()
        self.health = HealthMonitor(self._config)

    def apply(self, config: MemoryConfig, stuck_after_s: float) -> None:
        """Replace the settings."""
        self._config = self.health.config = config
        self.health.stuck_after_s = stuck_after_s

    def observe(
        self,
        embedding: Embedding,
        probabilities: NDArray[np.float32],
        span: float,
        pause: int,
        *,
        held: bool = False,
    ) -> None:
        """A new sample of a sensor, stamped by fusion's clock.

        Args:
            probabilities: float32 [K], of the classes, calibrated.
            span: seconds that the sample lasted.
            pause: ns without a sample after which the sensor was away.
            held: it counts until it is replaced, and may be repeated.
        """
        sensor, began = embedding.sensor, embedding.stamp - round(max(0.0, span) * _SECOND)
        track = self._tracks.pop(sensor, None)
        if track is None or embedding.stamp < track.ended:
            track = Track(embedding, probabilities, began)
        else:
            track.update(embedding, probabilities, began, pause)
        self._tracks[sensor] = track  # at the end: the one that was silent longest is first
        self._quality[sensor] = min(max(embedding.quality, 0.0), 1.0)
        (self._held.add if held else self._held.discard)(sensor)
        self._bound()
        self.health.compare(sensor, self._comparable(embedding.stamp))

    @property
    def sensors(self) -> Collection[str]:
        """Those that have been observed."""
        return self._tracks.keys()

    def judge(self, now: int) -> None:
        """Judge the sensors that send."""
        comparable = self._comparable(now)
        if comparable:
            self.health.judge(comparable, self._held, now)

    def reset(self) -> None:
        """The clock jumped."""
        self._tracks.clear()

    def belief(self, sensors: Collection[str], now: int) -> Belief:
        """The classes as the newest samples of `sensors`, at least one of them observed, show them."""
        ordered = sorted((s for s in sensors if s in self._tracks), key=lambda s: self._tracks[s].began)
        total, newest = np.zeros(self._classes, np.float32), 0.0
        for healthy, probability in self.health.hypotheses(ordered):
            belief, at = self._filter([s for s in ordered if s in healthy], now)
            total += np.float32(probability) * belief
            newest += probability * at
        held = any(s in self._held for s in ordered)
        kept = 1.0 if held else math.exp(-self._config.scene_change_hz * max(0.0, newest))
        exact = total.astype(np.float64)
        return Belief(exact / exact.sum(), kept, self._outdated(ordered, total))

    def _filter(self, ordered: Sequence[str], now: int) -> tuple[NDArray[np.float32], float]:
        """The belief of sensors that are all healthy, float32 [K], and its age in seconds."""
        uniform = 1 / self._classes
        noise = self._config.noise_share if len(ordered) > 1 else 0.0
        belief = np.full(self._classes, uniform, np.float32)
        at: float | None = None
        for sensor in ordered:
            track, trust = self._tracks[sensor], (1 - noise) * self._quality[sensor]
            likelihood = np.float32(trust) * track.probabilities
            likelihood += np.float32((1 - trust) * uniform)
            if at is not None:
                # A sample that shows nothing is no news, whenever it was taken.
                information = trust * (track.newest.sure - uniform) / (1 - uniform)
                passed = (track.began - at) * max(0.0, information)
                at += passed
                stays = math.exp(-self._config.scene_change_hz * passed / _SECOND)
                belief *= np.float32(stays)
                belief += np.float32((1 - stays) * uniform)
            else:
                at = float(track.began)
            belief *= likelihood
            belief /= belief.sum()
        return belief, 0.0 if at is None else (now - at) / _SECOND

    def _outdated(self, ordered: Sequence[str], belief: NDArray[np.float32]) -> frozenset[str]:
        """Sensors that show something else than the belief, before others that show the belief."""
        shares = {s: float(belief @ self._tracks[s].probabilities) for s in ordered}
        latest = max((self._tracks[s].began for s in ordered if shares[s] > _AGREES), default=0)
        return frozenset(s for s in ordered if shares[s] < _OUTDATED and self._tracks[s].began < latest)

    def _comparable(self, now: int) -> dict[str, Track]:
        return {s: track for s, track in self._tracks.items() if now - track.ended < _COMPARABLE}

    def _bound(self) -> None:
        while len(self._tracks) > _MOST_TRACKS:
            oldest = next(iter(self._tracks))
            del self._tracks[oldest], self._quality[oldest]
            self._held.discard(oldest)
            self.health.forget(oldest)
