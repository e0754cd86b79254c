"""Event cameras: about 300 ms of events, counted in time slices, polarities apart.

Every `hop_s` of sensor time the newest movement with a pause before and after it is taken as a whole; of
movement without pauses, the newest `window_s`. Counts are compressed by a logarithm: a hot pixel must not
outshine an edge.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage
from omnibind_ros.modalities.event.event_array import decode_event_array
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import Evt3Decoder
from omnibind_ros.modalities.preprocessor import Check, Preprocessor, Sample, stamp_and_frame
from omnibind_ros.modalities.segment import newest_segment


@dataclass(frozen=True)
class EventFormat:
    """Preprocessing constants of `event`.

    Attributes:
        size: side of the square model input; larger sensors are binned down, their centre square is used.
        window_s, hop_s: length of a sample, and how often one is taken.
        slices: time slices of a window; the model input has 2 x slices channels, negative polarity first.
        pause_s: stillness that ends a movement.
        still: share of the busiest moment's event rate up to which nothing moves.
        few, enough: events a window at which quality is 0 and 1.
    """

    size: int = 34
    window_s: float = 0.3
    hop_s: float = 0.1
    slices: int = 6
    pause_s: float = 0.06
    still: float = 0.1
    few: int = 150
    enough: int = 600


_LONGEST_GAP_NS = 5_000_000_000
_MOMENT_NS = 10_000_000  # event rates are told apart at this resolution
_LONGER = 1.1  # than a window: a movement that is not waited for any longer
_MANY_WORDS = 1 << 16  # decoding more than this together saves nothing


class EventPreprocessor(Preprocessor):
    """`event_camera_msgs/EventPacket` (evt3) or `dvs_msgs/EventArray`; raw sample: `Events`."""

    modality = "event"
    stream = True
    Format = EventFormat
    format: EventFormat

    def __init__(self, format: EventFormat | None = None) -> None:
        super().__init__(format)
        self._window, self._hop = round(self.format.window_s * 1e9), round(self.format.hop_s * 1e9)
        self._pause = round(self.format.pause_s * 1e9 / _MOMENT_NS)
        # A whole movement with the pauses around it, though the next may have begun by the time of a look.
        self._moments = 2 * (self._window // _MOMENT_NS + self._pause)
        self.reset()

    def reset(self) -> None:
        self._bursts: list[Events] = []
        self._decoder = Evt3Decoder()
        self._next_look: int | None = None
        self._stamp = 0
        self._forget_movement()

    def _forget_movement(self) -> None:
        self._counts = np.zeros(self._moments, np.int64)
        self._last_moment = 0

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, 2 * self.format.slices, self.format.size, self.format.size)

    def feed(self, message: Any) -> list[Sample]:
        if hasattr(message, "encoding"):
            if self._can_wait(self._decoder.accept(message)):
                return []
            bursts = self._decoder.flush()
            # A packet without events still tells that time went on, and that nothing moved.
            now = self._decoder.time
            _, frame_id = stamp_and_frame(message)
        else:
            bursts = [decode_event_array(message)]
            stamp, frame_id = stamp_and_frame(message)
            now = int(bursts[0].t[-1]) if len(bursts[0]) else stamp
        self._collect(bursts)
        if self._next_look is None:
            self._next_look = (int(self._bursts[0].t[0]) if self._bursts else now) + self._window
        if now < self._next_look:
            return []
        self._next_look = now + self._hop - (now - self._next_look) % self._hop
        self._bursts = [b for b in self._bursts if b.t[-1] >= now - self._moments * _MOMENT_NS]
        if not self._bursts:
            return [Sample(self.nothing, now, frame_id, 0.0, "no events")]
        end = self._end_of_newest(now)
        if end is None:
            return []
        near = [b for b in self._bursts if b.t[-1] >= end - self._window]
        recent = Events.concatenate(near).between(end - self._window, end + 1)
        verdict = self.check(recent)
        data = self.prepare(recent) if verdict.quality > 0 else self.nothing
        span_s = (now - end + self._window) / 1e9
        return [Sample(data, now, frame_id, verdict.quality, verdict.reason, span_s)]

    def join(self, messages: Iterable[Any]) -> Events:
        decoder = Evt3Decoder()
        bursts: list[Events] = []
        for message in messages:
            if hasattr(message, "encoding"):
                decoder.accept(message)
                bursts += decoder.flush()
            else:
                bursts.append(decode_event_array(message))
        seen = [burst for burst in bursts if len(burst)]
        if not seen:
            raise BadMessage("event packets hold no events")
        return Events.concatenate(seen).shifted(-int(seen[0].t[0]))

    def _end_of_newest(self, now: int) -> int | None:
        """Where the window to encode ends; None while a movement is going on that may still become whole."""
        self._advance(now // _MOMENT_NS)
        active = self._counts > max(1.0, self.format.still * self._counts.max())
        movement = newest_segment(active, self._pause)
        if movement is None:
            return now
        long = (movement.end - movement.start) * _MOMENT_NS > _LONGER * self._window
        if not long and not (movement.begun and movement.ended):
            return None
        return min(now, (self._last_moment + 1 - self._moments + movement.end) * _MOMENT_NS)

    def _count(self, burst: Events) -> None:
        """Add a burst to the events of each of the last moments."""
        moment = burst.t // _MOMENT_NS
        self._advance(int(moment[-1]))
        index = moment - (self._last_moment + 1 - self._moments)
        self._counts += np.bincount(index[np.searchsorted(index, 0) :], minlength=self._moments)

    def _advance(self, moment: int) -> None:
        passed = min(moment - self._last_moment, self._moments)
        if passed > 0:
            self._counts[:-passed] = self._counts[passed:]
            self._counts[-passed:] = 0
            self._last_moment = moment

    def _can_wait(self, stamp: int) -> bool:
        """Is a packet stamped `stamp` over before the next look? It lasts about as long as the last one did.

        Half a packet more or less is no matter. Stamps that stand still or run backwards tell nothing.
        """
        length = stamp - self._stamp
        self._stamp = stamp
        if self._next_look is None or self._decoder.waiting > _MANY_WORDS:
            return False
        return length > 0 and stamp + length // 2 < self._next_look

    def _collect(self, bursts: list[Events]) -> None:
        for burst in bursts:
            if not len(burst):
                continue
            if self._bursts and not _continues(self._bursts[-1], burst):
                self._bursts, self._next_look = [], None
                self._forget_movement()
            self._bursts.append(burst)
            self._count(burst)

    def check(self, raw: Events) -> Check:
        few, enough = self.format.few, self.format.enough
        quality = min(1.0, max(0.0, (len(raw) - few) / (enough - few)))
        return Check(
            quality, "" if quality == 1.0 else f"only {len(raw)} events in {self.format.window_s:g} s"
        )

    def prepare(self, raw: Events) -> NDArray[np.float32]:
        f = self.format
        end = int(raw.t[-1]) + 1 if len(raw) else 0
        age = np.minimum((end - 1 - raw.t) * (f.slices / (f.window_s * 1e9)), f.slices - 1).astype(np.intp)
        cell = raw.p * f.slices + (f.slices - 1)
        cell -= age
        cell *= f.size**2
        if raw.width == raw.height == f.size:
            cell += raw.y.astype(np.intp) * f.size + raw.x
        else:
            side = min(raw.width, raw.height)
            x = (raw.x.astype(np.intp) - (raw.width - side) // 2) * f.size // side
            y = (raw.y.astype(np.intp) - (raw.height - side) // 2) * f.size // side
            cell += y * f.size + x
            cell = cell[(x >= 0) & (x < f.size) & (y >= 0) & (y < f.size)]
        counts = np.bincount(cell, minlength=2 * f.slices * f.size**2)
        # Few different counts, many cells: looking a logarithm up is a tenth of the work of taking it.
        logarithms = np.log1p(np.arange(counts.max() + 1, dtype=np.float32))
        return logarithms[counts].reshape(self.input_shape)


def _continues(before: Events, burst: Events) -> bool:
    """Same camera, and time neither ran backwards (a looping recording) nor far ahead (a paused one)."""
    gap = int(burst.t[0]) - int(before.t[-1])
    same_size = (before.width, before.height) == (burst.width, burst.height)
    return same_size and 0 <= gap <= _LONGEST_GAP_NS
