"""What one sensor has shown lately: its newest sample in full, those before it as a few numbers each.

A sample is a `Claim`: the scene was of class c with probability p(c) when the sample began. Memory per sensor
is K floats, one embedding and 64 gists.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.types import Embedding

_GISTS = 64
_GIST_EVERY = 100_000_000
"""ns; a faster sensor's repetitions replace each other, so that its gists reach as far back as a slow
sensor's samples."""

_CLASSES = 8
"""Likeliest classes that a gist keeps."""

_SURE = 0.7
"""A change of the best class counts as one from this probability on."""

_SAME = 0.97
"""Cosine below which an embedding differs from an earlier one of the same sensor."""

_CHANGES = 16
_FLOOR = 1e-3
_SURENESS = 10_000_000_000
"""ns over which sureness is averaged."""


@dataclass(frozen=True, slots=True)
class Gist:
    """A claim that is kept for comparisons.

    Attributes:
        began: ns, when its sample began.
        classes: probabilities of its likeliest classes.
        best: the likeliest class, of probability `sure`.
        norm: Euclidean norm of the probabilities.
    """

    began: int
    classes: dict[int, float]
    best: int
    sure: float
    norm: float

    @classmethod
    def of(cls, probabilities: NDArray[np.float32], began: int) -> Gist:
        """The gist of probabilities [K]."""
        count = min(_CLASSES, len(probabilities))
        likeliest = np.argpartition(probabilities, -count)[-count:]
        values = probabilities[likeliest].tolist()
        classes = dict(zip(likeliest.tolist(), values, strict=True))
        best = max(classes, key=lambda k: classes[k])
        return cls(began, classes, best, classes[best], float(np.linalg.norm(values)))

    def agreement(self, other: Gist) -> float:
        """Cosine of the two distributions: 1 = the same, 0 = they exclude each other."""
        theirs = other.classes
        common = sum(p * theirs[k] for k, p in self.classes.items() if k in theirs)
        return common / (self.norm * other.norm)


@dataclass(frozen=True, slots=True)
class Change:
    """A sensor showed a class, and then surely another one.

    Attributes:
        after, at: ns, when the last sample of the old class and the first one of the new class began.
        old, new: the classes.
    """

    after: int
    at: int
    old: int
    new: int


class Track:
    """One sensor's claims, oldest first.

    Attributes:
        probabilities: float32 [K], of the newest sample, as far as it is unsure with those before.
        began, ended: ns, of the newest sample.
        still_since: ns, since when its embeddings have hardly changed.
        changes: of its class, oldest first, without a single sample in between that was of another class.
        sureness: mean probability of the best class over the last seconds.
    """

    def __init__(self, embedding: Embedding, probabilities: NDArray[np.float32], began: int) -> None:
        self._gists: deque[Gist] = deque(maxlen=_GISTS)
        self._anchor = embedding.vector
        self._known: Gist | None = None
        self._single = False
        self.sureness = 1.0
        self.ended = embedding.stamp
        self.still_since = began
        self.changes: deque[Change] = deque(maxlen=_CHANGES)
        self._take(embedding, probabilities, began)

    def update(
        self, embedding: Embedding, probabilities: NDArray[np.float32], began: int, pause: int
    ) -> None:
        """A newer sample. After more than `pause` ns without one, comparisons begin anew."""
        if embedding.stamp - self.ended > pause:
            self._gists.clear()
        if float(self._anchor @ embedding.vector) < _SAME:
            self._anchor, self.still_since = embedding.vector, began
        self._take(embedding, probabilities, began)

    @property
    def newest(self) -> Gist:
        return self._gists[-1]

    def before_newest(self) -> Gist | None:
        return self._gists[-2] if len(self._gists) > 1 else None

    def at(self, moment: int) -> Gist | None:
        """What it showed at `moment`; None unless the samples before and after it are of one class."""
        after: Gist | None = None
        for gist in reversed(self._gists):
            if gist.began < moment:
                return after if after is not None and after.best == gist.best else None
            after = gist
        return None

    def between(self, begin: int, end: int) -> Iterator[Gist]:
        """Claims of samples that began after `begin` and not after `end`, newest first."""
        for gist in reversed(self._gists):
            if gist.began <= begin:
                return
            if gist.began <= end:
                yield gist

    def _take(self, embedding: Embedding, probabilities: NDArray[np.float32], began: int) -> None:
        gist = Gist.of(probabilities, began)
        if self._known is not None:
            passed = max(0, embedding.stamp - self.ended) / _SURENESS
            self.sureness += (gist.sure - self.sureness) * min(1.0, passed)
            probabilities = self._lean(probabilities, gist.sure)
        self.probabilities, self.began, self.ended = probabilities, began, embedding.stamp
        gists = self._gists
        if len(gists) > 1 and gist.best == gists[-1].best and began - gists[-2].began < _GIST_EVERY:
            gists.pop()
        gists.append(gist)
        if gist.sure >= _SURE:
            self._note_change(gist)
            self._known = gist

    def _lean(self, probabilities: NDArray[np.float32], sure: float) -> NDArray[np.float32]:
        """A sample that is not sure of its class is read in the light of the one before."""
        leaning = probabilities * (self.probabilities + np.float32(_FLOOR)) ** np.float32(1 - sure)
        return np.asarray(leaning / leaning.sum(), np.float32)

    def _note_change(self, gist: Gist) -> None:
        known, changes = self._known, self.changes
        if known is None or known.best == gist.best:
            self._single = self._single and known is not None and known.began == gist.began
            return
        if self._single and changes and changes[-1].old == gist.best:
            changes.pop()
            self._single = False
            return
        changes.append(Change(known.began, gist.began, known.best, gist.best))
        self._single = True
