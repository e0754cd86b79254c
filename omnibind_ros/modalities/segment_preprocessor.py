"""Streams of words or strokes: the newest complete segment of a window becomes the sample."""

from __future__ import annotations

from typing import Any, ClassVar

from numpy.typing import NDArray

from omnibind_ros.modalities.preprocessor import Check, Preprocessor, Sample
from omnibind_ros.modalities.segment import Segment

_WITHOUT_PAUSES = 0.5
"""Best quality of activity that fills the window: it may be several segments, or a part of one."""


class SegmentPreprocessor(Preprocessor):
    """A stream that is cut at its pauses.

    Attributes:
        nothing_happens: reason of an empty sample.
        no_pauses: reason of the lower quality of activity without pauses.
    """

    stream = True
    nothing_happens: ClassVar[str]
    no_pauses: ClassVar[str]

    def cut_out(
        self, window: NDArray[Any], segment: Segment | None, stamp: int, frame_id: str
    ) -> list[Sample]:
        """The sample of `segment` in `window`; none if only its beginning or its end is in the window."""
        if segment is None:
            return [Sample(self.nothing, stamp, frame_id, 0.0, self.nothing_happens)]
        if segment.begun != segment.ended:
            return []
        raw = window[segment.start : segment.end]
        verdict = self.check(raw)
        if not segment.begun:
            verdict = Check(min(verdict.quality, _WITHOUT_PAUSES), verdict.reason or self.no_pauses)
        span_s = (len(window) - segment.start) / self.format.rate
        return [Sample(self.prepare(raw), stamp, frame_id, verdict.quality, verdict.reason, span_s)]
