"""A modality's recordings as embeddings, with what decides when its sensor sends one.

Rates and windows are those of the bundle's preprocessing and of the modality's driver:

    single      every message is a sample, at the driver's period
    segments    words, strokes, saccades: each lasts as long as its recording, the next follows after a pause;
                the sample is known when a pause has been seen, and again every hop while it is in the window
    windows     the newest window, every hop
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.data.scene import Scene
from omnibind_ros.host.evaluation.pools import Embed, Pool, make_pool, pick
from omnibind_ros.modalities.definition import load
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.registry import definition, having
from omnibind_ros.types import Modality

_MOST = 250
_MOST_CORRUPTED = 40
_STRENGTHS = 4
_SIMULATED_PER_CLASS = 15
_OTHER_PERIOD_S, _OTHER_PAUSE_S = 0.1, 0.5
_DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Timing:
    """When a sensor sends what it senses. All times in seconds.

    Attributes:
        kind: see the module.
        period_s: of `single`.
        window_s, hop_s: longest sample, and time between two looks at the stream.
        pause_s: stillness after which a segment is complete.
        rest_s: from the end of a segment to the beginning of the next.
    """

    kind: Literal["single", "segments", "windows"]
    period_s: float = 0.0
    window_s: float = 0.0
    hop_s: float = 0.0
    pause_s: float = 0.0
    rest_s: float = 0.0

    @classmethod
    def of(cls, preprocessor: Preprocessor, raw: Any, length_s: float) -> Timing:
        """The timing of a sensor with this preprocessing, whose driver plays samples such as `raw`."""
        every_s = _period_s(preprocessor, raw)
        if not preprocessor.stream:
            return cls("single", period_s=every_s or _OTHER_PERIOD_S)
        window_s, hop_s = float(preprocessor.format.window_s), float(preprocessor.format.hop_s)
        if not hasattr(preprocessor.format, "pause_s"):
            return cls("windows", window_s=window_s, hop_s=hop_s)
        pause_s = float(preprocessor.format.pause_s)
        rest_s = max(every_s - length_s if every_s else _OTHER_PAUSE_S, pause_s)
        return cls("segments", 0.0, window_s, hop_s, pause_s, rest_s)


@dataclass(frozen=True, eq=False)
class Shelf:
    """The samples that a sensor can send.

    Attributes:
        clean: recordings as they are; corrupted: versions of some of them, None if there is no corruption.
        lengths: seconds [N] that each of `clean` lasts.
        rows: for each class, rows of `clean` that the signal checks let pass.
    """

    timing: Timing
    clean: Pool
    corrupted: Pool | None
    lengths: NDArray[np.float64]
    rows: tuple[NDArray[np.intp], ...]

    def row(self, label: int, moment: str, rng: np.random.Generator) -> int | None:
        """A recording of the class: that of the moment if there is one; None if there is none at all."""
        rows = self.rows[label]
        if moment:
            same = rows[self.clean.pairs[rows] == moment]
            rows = same if len(same) else rows
        return int(rng.choice(rows)) if len(rows) else None


def samples_of(
    modality: Modality, recordings: Sequence[Recording], labels: Sequence[str], seed: int
) -> list[Recording]:
    """Some recordings of the classes; simulated ones of the digits if there are none."""
    own = pick([r for r in recordings if r.label is not None], _MOST, seed)
    return own or _simulated(modality, labels, seed)


def fill_shelf(
    own: Sequence[Recording], preprocessor: Preprocessor, embed: Embed, labels: Sequence[str], seed: int
) -> Shelf:
    """Embed recordings, at least one, as they are and some of them corrupted."""
    clean = make_pool(embed, preprocessor, own, labels, versions=0, seed=seed)
    corruptions = definition(preprocessor.modality).corruptions
    kinds = len(corruptions.load()) if corruptions else 0
    corrupted = None
    if kinds:
        some = pick(own, _MOST_CORRUPTED, seed)
        corrupted = make_pool(embed, preprocessor, some, labels, versions=kinds * _STRENGTHS, seed=seed)
    lengths = np.array([_length_s(preprocessor, r.load()) for r in own])
    live = clean.quality[:, 0] > 0
    rows = tuple(np.flatnonzero(live & (clean.labels == k)) for k in range(len(labels)))
    timing = Timing.of(preprocessor, own[0].load(), float(lengths[0]))
    return Shelf(timing, clean, corrupted, lengths, rows)


def moments_of(shelves: Mapping[Modality, Shelf], label: int) -> NDArray[np.str_]:
    """Moments of the class that every modality has recorded."""
    common: set[str] | None = None
    for shelf in shelves.values():
        own = set(shelf.clean.pairs[shelf.rows[label]].tolist()) - {""}
        common = own if common is None else common & own
    return np.array(sorted(common or ()), np.str_)


def _period_s(preprocessor: Preprocessor, raw: Any) -> float:
    """Seconds from one sample to the next as the modality's driver plays them; 0 if it cannot be played."""
    frames = load(definition(preprocessor.modality).frames)
    if frames is None:
        return 0.0
    one, two = (
        sum(frame.duration_s for frame in frames([raw] * count, np.random.default_rng(0))) for count in (1, 2)
    )
    return float(two - one)


def _length_s(preprocessor: Preprocessor, raw: Any) -> float:
    if not preprocessor.stream:
        return 0.0
    longest = float(preprocessor.format.window_s)
    if isinstance(raw, Events):
        return min(longest, float(raw.t[-1] - raw.t[0]) / 1e9) if len(raw) else 0.0
    return min(longest, len(raw) / float(preprocessor.format.rate))


def _simulated(modality: Modality, labels: Sequence[str], seed: int) -> list[Recording]:
    if modality not in having("simulate") or not set(labels) <= set(_DIGITS):
        return []
    made = []
    for label in labels:
        scene = Scene(int(label), seed)
        for n in range(_SIMULATED_PER_CLASS):
            sample = scene.sample(modality)
            made.append(
                Recording(modality, "simulated", f"{label}/{n}", label, "", lambda sample=sample: sample)  # type: ignore[misc]
            )
    return made
