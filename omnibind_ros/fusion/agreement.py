"""Which sensors are healthy, from which of them agree.

Every pair of sensors keeps a log-likelihood ratio for "both are healthy" against "at least one is not". It
changes by what their samples show of the same moment, and is forgotten over minutes. A set S of healthy
sensors then has the probability

    P(S) ~ exp(sum_{i in S} prior_i + sum_{i < j in S} ratio_ij)

and a sensor is healthy with the sum of P(S) over all S that it is in. So one sensor that contradicts two
which agree is at fault, and two against two remain undecided. Symmetric in the sensors; nothing is learned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.fusion.track import Gist, Track

_PRIOR = 4.0
"""Log-odds that a sensor is healthy, from nothing else than that it is there."""

_GAIN = 2.0
"""Log-likelihood ratio of one second of sure contradiction, divided by 1 - `_EXPECTED`."""

_EXPECTED = 0.85
"""Agreement at which a comparison tells nothing."""

_MOST_FOR, _MOST_AGAINST = 1.0, 12.0
"""Bounds of a pair's ratio: what has been good for long must not hide a fault for as long."""

_HEALTHY = 1 / (1 + math.exp(-_PRIOR))
_SECOND = 1_000_000_000
_EXAMINED = 10
"""Sensors whose sets are enumerated: those that something speaks against, the worst of them."""


@dataclass
class _Pair:
    ratio: float = 0.0
    compared: int = 0


@dataclass(frozen=True)
class Verdict:
    """Who is healthy.

    Attributes:
        health: probability of each sensor.
        sets: sets of healthy sensors that are likely, and their probabilities, which sum to 1.
    """

    health: Mapping[str, float]
    sets: tuple[tuple[frozenset[str], float], ...]


class Agreement:
    """The pairs' ratios.

    Args:
        forget_s: seconds after which 1/e of what was seen still counts.
    """

    def __init__(self, forget_s: float) -> None:
        self.forget_s = forget_s
        self._pairs: dict[tuple[str, str], _Pair] = {}

    def compare(self, sensor: str, tracks: Mapping[str, Track]) -> None:
        """Take in the newest sample of `sensor`, which is compared with those of the other `tracks`.

        Two samples are compared if one began while the other sensor's samples before and after that moment
        were of one class: then both describe the same scene.
        """
        own = tracks[sensor]
        newest, before = own.newest, own.before_newest()
        steady = before is not None and before.best == newest.best
        for other, track in tracks.items():
            if other == sensor:
                continue
            theirs = track.at(newest.began)
            if theirs is not None:
                self._weigh(sensor, other, newest, theirs, newest.began)
            if steady and before is not None:
                for gist in track.between(before.began, newest.began):
                    self._weigh(sensor, other, newest, gist, gist.began)

    def forget(self, sensor: str) -> None:
        """The sensor is unknown from now on."""
        self._pairs = {pair: value for pair, value in self._pairs.items() if sensor not in pair}

    def ratio(self, one: str, other: str) -> float:
        """The pair's log-likelihood ratio; 0 if they were never compared."""
        pair = self._pairs.get((one, other) if one < other else (other, one))
        return 0.0 if pair is None else pair.ratio

    def judge(self, sensors: Sequence[str], against: Mapping[str, float], likely: float) -> Verdict:
        """Who of `sensors` is healthy.

        Args:
            against: log-odds that speak against a sensor besides.
            likely: probability from which a set is listed.
        """
        known = {s: _PRIOR - against.get(s, 0.0) for s in sensors}
        ratios = {pair: value.ratio for pair, value in self._pairs.items() if known.keys() >= set(pair)}
        worst = {s: known[s] for s in sensors if known[s] < _PRIOR}
        for (one, other), ratio in ratios.items():
            if ratio < 0:
                worst[one], worst[other] = worst.get(one, 0.0) + ratio, worst.get(other, 0.0) + ratio
        accused = sorted(worst, key=lambda s: worst[s])[:_EXAMINED]
        unaccused = frozenset(sensors) - frozenset(accused)
        if not accused:
            return Verdict(dict.fromkeys(sensors, _HEALTHY), ((unaccused, 1.0),))
        index = {sensor: n for n, sensor in enumerate(accused)}
        prior, pairs = np.array([known[s] for s in accused]), np.zeros((len(accused), len(accused)))
        for (one, other), ratio in ratios.items():
            if one in index and other in index:
                pairs[index[one], index[other]] = ratio
            elif one in index:
                prior[index[one]] += ratio
            elif other in index:
                prior[index[other]] += ratio
        sets = _subsets(len(accused))
        log = sets @ prior + ((sets @ pairs) * sets).sum(axis=1)
        powers = np.exp(log - log.max())
        powers /= powers.sum()
        listed = np.flatnonzero(powers >= min(likely, powers.max()))
        total = float(powers[listed].sum())
        return Verdict(
            dict.fromkeys(unaccused, _HEALTHY) | dict(zip(accused, (powers @ sets).tolist(), strict=True)),
            tuple(
                (unaccused.union(np.array(accused)[sets[row] > 0].tolist()), float(powers[row]) / total)
                for row in listed
            ),
        )

    def _weigh(self, one: str, other: str, mine: Gist, theirs: Gist, at: int) -> None:
        key = (one, other) if one < other else (other, one)
        pair = self._pairs.setdefault(key, _Pair(compared=at - _SECOND))
        passed = (at - pair.compared) / _SECOND
        if passed <= 0:
            return
        sure = mine.sure * theirs.sure
        change = _GAIN * min(1.0, passed) * sure * (mine.agreement(theirs) - _EXPECTED)
        kept = pair.ratio * math.exp(-passed / self.forget_s)
        pair.ratio, pair.compared = min(max(kept + change, -_MOST_AGAINST), _MOST_FOR), at


@lru_cache(maxsize=_EXAMINED + 1)
def _subsets(count: int) -> NDArray[np.float64]:
    """All subsets of so many sensors as rows of 0 and 1: [2^count, count]."""
    numbers = np.arange(1 << count)
    bits: NDArray[np.float64] = ((numbers[:, None] >> np.arange(count)) & 1).astype(np.float64)
    return bits
