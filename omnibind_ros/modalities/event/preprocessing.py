"""Event cameras: about 300 ms of events, counted in time slices, polarities apart.

Every `hop_s` of sensor time the newest movement with a pause before and after it is taken as a whole; of
movement without pauses, the newest `window_s`. Counts are compressed by a logarithm: a hot pixel must not
outweigh an edge.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.fields import stamp_of
from omnibind_ros.modalities.event.event_array import decode_event_array
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import Evt3Decoder
from omnibind_ros.modalities.preprocessor import Check, Preprocessor, Sample
from omnibind_ros.modalities.segment import newest_segment
from omnibind_ros.modalities.stream_clock import StreamClock


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


_MS = 1_000_000
_LONGEST_GAP_NS = 5_000 * _MS
_MOMENT_NS = 10 * _MS  # resolution of event rates
_JITTER_NS = 50 * _MS  # by which the stamp of a packet without events may be behind the last event
_SILENCE_NS = 500 * _MS  # stamps of packets further apart are not compared
_LONGER = 1.1  # than a window: movement that is not waited for any longer
_MANY_BYTES = 1 << 17  # decoding more than this together saves nothing
_MANY_BURSTS = 256
_MOST_EVENTS = 1 << 22  # 55 MB; beyond that the newer half is kept


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
        self._clock = StreamClock(_SILENCE_NS)
        self.reset()

    def reset(self) -> None:
        self._decoder = Evt3Decoder()
        self._stamp = 0
        self._begin()

    def _begin(self) -> None:
        """Forget the window, but not how to read the next packet."""
        self._bursts: list[Events] = []
        self._kept = 0  # events in the bursts
        self._now: int | None = None
        self._next_look: int | None = None
        self._counts = np.zeros(self._moments, np.int64)
        self._last_moment = 0

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, 2 * self.format.slices, self.format.size, self.format.size)

    def feed(self, message: Any, received: int = 0) -> list[Sample]:
        if hasattr(message, "encoding"):
            if self._packet_can_wait(message, received):
                return []
            bursts, time = self._decoder.flush(), self._decoder.time
        else:
            bursts, time = self._decode_array(message, received)
        self.stamp_fault = self._clock.fault
        self._collect(bursts)
        self._pass_time(time)
        now = self._now or 0
        if self._next_look is None:
            self._next_look = (int(self._bursts[0].t[0]) if self._bursts else now) + self._window
        if now < self._next_look:
            return []
        self._next_look = now + self._hop - (now - self._next_look) % self._hop
        return self._look(now, message.header.frame_id)

    def _packet_can_wait(self, message: Any, received: int) -> bool:
        """Hand a packet to the decoder; False if what it holds must be decoded now."""
        missing = self._decoder.missing_before(message)
        if missing:
            self.lost_messages += missing
            self._decoder.flush()
            self._begin()
        stamp = self._clock.time(stamp_of(message), received)
        self._decoder.accept(message, stamp)
        length, self._stamp = stamp - self._stamp, stamp
        if self._next_look is None or self._decoder.waiting > _MANY_BYTES:
            return False
        # A packet lasts about as long as the one before, unless stamps stand still or run backwards.
        return length > 0 and stamp + length // 2 < self._next_look

    def _decode_array(self, message: Any, received: int) -> tuple[list[Events], int]:
        """The events of an array and the time up to which it reaches."""
        events = decode_event_array(message)
        last = int(events.t[-1]) if len(events) else stamp_of(message)
        time = self._clock.time(last, received)
        if time != last:  # the events' own times are at fault: spread the events since the last array
            begin = self._now if self._now is not None and 0 <= time - self._now <= _SILENCE_NS else time
            events = replace(events, t=np.linspace(begin, time, len(events)).astype(np.int64))
        return [events], time

    def _collect(self, bursts: list[Events]) -> None:
        for burst in bursts:
            if not len(burst):
                continue
            begin, end = int(burst.t[0]), int(burst.t[-1])
            self._pass_time(begin)
            if self._bursts and not _continues(self._bursts[-1], burst):
                self._begin()
            self._bursts.append(burst)
            self._kept += len(burst)
            if len(self._bursts) > _MANY_BURSTS or self._kept > _MOST_EVENTS:
                self._kept = min(self._kept, _MOST_EVENTS // 2)
                self._bursts = [Events.concatenate(self._bursts)[-self._kept :]]
            self._count(burst)
            self._now = end

    def _pass_time(self, time: int) -> None:
        """Time goes on up to `time`; a window begins afresh where it jumps."""
        if self._now is not None and not -_JITTER_NS <= time - self._now <= _LONGEST_GAP_NS:
            self._begin()
        self._now = time if self._now is None else max(self._now, time)

    def _look(self, now: int, frame_id: str) -> list[Sample]:
        """The sample of the newest movement, none while it may still go on."""
        self._bursts = [b for b in self._bursts if b.t[-1] >= now - self._moments * _MOMENT_NS]
        self._kept = sum(map(len, self._bursts))
        end = self._end_of_newest(now)
        if end is None:
            return []
        near = [b for b in self._bursts if b.t[-1] >= end - self._window]
        if not near:
            return [Sample(self.nothing, now, frame_id, 0.0, "no events")]
        recent = Events.concatenate(near).between(end - self._window, end + 1)
        verdict = self.check(recent)
        data = self.prepare(recent) if verdict.quality > 0 else self.nothing
        span_s = (now - end + self._window) / 1e9
        return [Sample(data, now, frame_id, verdict.quality, verdict.reason or self.stamp_fault, span_s)]

    def join(self, messages: Iterable[Any]) -> Events:
        decoder = Evt3Decoder()
        bursts = [
            decoder.decode(message) if hasattr(message, "encoding") else decode_event_array(message)
            for message in messages
        ]
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
    """The same camera, and no event before one that is kept already."""
    same_size = (before.width, before.height) == (burst.width, burst.height)
    return same_size and bool(burst.t[0] >= before.t[-1])
