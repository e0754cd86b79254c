"""Event cameras: about 300 ms of events, counted in time slices, polarities apart.

The window moves on by `hop_s` of sensor time. Counts are compressed by a logarithm: a hot pixel must not
outshine an edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.sensors.adaptor import Check, Sample, SensorAdaptor, stamp_and_frame
from omnibind_ros.sensors.event_array import decode_event_array
from omnibind_ros.sensors.events import Events
from omnibind_ros.sensors.evt3 import Evt3Decoder


@dataclass(frozen=True)
class EventFormat:
    """Preprocessing constants of `event`.

    Attributes:
        size: side of the square model input; larger sensors are binned down, their centre square is used.
        window_s, hop_s: length of a sample, and how often one is taken.
        slices: time slices of a window; the model input has 2 x slices channels, negative polarity first.
        few, enough: events a window at which quality is 0 and 1.
    """

    size: int = 34
    window_s: float = 0.3
    hop_s: float = 0.1
    slices: int = 6
    few: int = 150
    enough: int = 600


_LONGEST_GAP_NS = 5_000_000_000


class EventAdaptor(SensorAdaptor):
    """`event_camera_msgs/EventPacket` (evt3) or `dvs_msgs/EventArray`; raw sample: `Events`."""

    modality = "event"
    stream = True
    Format = EventFormat
    format: EventFormat

    def __init__(self, format: EventFormat | None = None) -> None:
        super().__init__(format)
        self.reset()

    def reset(self) -> None:
        self._packets: list[Events] = []
        self._decoder = Evt3Decoder()
        self._next_look: int | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, 2 * self.format.slices, self.format.size, self.format.size)

    def feed(self, message: Any) -> list[Sample]:
        is_packet = hasattr(message, "encoding")
        events = self._decoder.decode(message) if is_packet else decode_event_array(message)
        stamp, frame_id = stamp_and_frame(message)
        # An empty packet still tells that time went on, and that nothing moved.
        now = int(events.t[-1]) if len(events) else stamp
        if self._time_went_wrong(events):
            self._packets, self._next_look = [], None
        if len(events):
            self._packets.append(events)
        window, hop = round(self.format.window_s * 1e9), round(self.format.hop_s * 1e9)
        if self._next_look is None:
            self._next_look = (int(events.t[0]) if len(events) else now) + window
        if now < self._next_look:
            return []
        self._next_look = now + hop - (now - self._next_look) % hop
        self._packets = [packet for packet in self._packets if packet.t[-1] >= now - window]
        if not self._packets:
            return [Sample(np.zeros(self.input_shape, np.float32), now, frame_id, 0.0, "no events")]
        recent = Events.concatenate(self._packets).between(now - window, now + 1)
        verdict = self.check(recent)
        data = self.prepare(recent) if verdict.quality > 0 else np.zeros(self.input_shape, np.float32)
        return [Sample(data, now, frame_id, verdict.quality, verdict.reason)]

    def _time_went_wrong(self, events: Events) -> bool:
        """Backwards (a looping recording), or far ahead (a paused one)."""
        if not self._packets or not len(events):
            return False
        step = int(events.t[0]) - int(self._packets[-1].t[-1])
        return step < 0 or step > _LONGEST_GAP_NS

    def check(self, raw: Events) -> Check:
        few, enough = self.format.few, self.format.enough
        quality = float(np.clip((len(raw) - few) / (enough - few), 0.0, 1.0))
        return Check(
            quality, "" if quality == 1.0 else f"only {len(raw)} events in {self.format.window_s:g} s"
        )

    def prepare(self, raw: Events) -> NDArray[np.float32]:
        f = self.format
        end = int(raw.t[-1]) + 1 if len(raw) else 0
        age = np.minimum((end - 1 - raw.t) * (f.slices / (f.window_s * 1e9)), f.slices - 1).astype(np.intp)
        side = min(raw.width, raw.height)
        x = raw.x.astype(np.intp) - (raw.width - side) // 2
        y = raw.y.astype(np.intp) - (raw.height - side) // 2
        if side != f.size:
            x, y = x * f.size // side, y * f.size // side
        channel = raw.p * f.slices + (f.slices - 1 - age)
        cell = (channel * f.size + y) * f.size + x
        if raw.width != raw.height:
            cell = cell[(x >= 0) & (x < f.size) & (y >= 0) & (y < f.size)]
        counts = np.bincount(cell, minlength=2 * f.slices * f.size**2).astype(np.float32)
        return np.log1p(counts, out=counts).reshape(self.input_shape)
