"""Tactile skins: a stream of small frames, cut into strokes at the pauses between them.

The frames of one stroke (up to two seconds) become a stack of time slices: where the skin was touched, and
in which order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.core.errors import BadMessage
from omnibind_ros.sensors.adaptor import Check, Sample, SensorAdaptor, stamp_and_frame
from omnibind_ros.sensors.gesture import newest_gesture
from omnibind_ros.sensors.image_encodings import decode_image, to_intensity
from omnibind_ros.sensors.ring import Ring


@dataclass(frozen=True)
class TouchFormat:
    """Preprocessing constants of `touch`.

    Attributes:
        taxels: side of the square array.
        rate: frames a second.
        window_s, hop_s: longest stroke, and how often the stream is looked at.
        pause_s: time without contact that ends a stroke.
        slices: time slices of a stroke.
        contact: value from which a taxel counts as touched.
        few, enough: touched taxels, summed over a stroke, at which quality is 0 and 1.
    """

    taxels: int = 16
    rate: float = 120.0
    window_s: float = 2.0
    hop_s: float = 0.25
    pause_s: float = 0.4
    slices: int = 12
    contact: float = 0.1
    few: int = 8
    enough: int = 30

    @property
    def frames(self) -> int:
        return round(self.rate * self.window_s)


class TouchAdaptor(SensorAdaptor):
    """`sensor_msgs/Image` frames (mono8, 32FC1, ...); raw sample: float32 [T,H,W] in [0, 1]."""

    modality = "touch"
    stream = True
    Format = TouchFormat
    format: TouchFormat

    def __init__(self, format: TouchFormat | None = None) -> None:
        super().__init__(format)
        f = self.format
        self._pause = round(f.pause_s * f.rate)
        self._hop = round(f.hop_s * f.rate)
        self._ring = Ring(f.frames + 2 * self._pause, (f.taxels, f.taxels))
        self.reset()

    def reset(self) -> None:
        self._ring.clear()
        self._since_hop = 0

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, self.format.slices, self.format.taxels, self.format.taxels)

    def feed(self, message: Any) -> list[Sample]:
        pixels = decode_image(message)
        frame = to_intensity(pixels)
        if pixels.dtype != np.float32:
            frame = frame / np.float32(np.iinfo(pixels.dtype).max)
        wanted = (self.format.taxels, self.format.taxels)
        if frame.shape != wanted:
            raise BadMessage(f"touch frame has {frame.shape} taxels, the encoder was trained on {wanted}")
        if not np.isfinite(frame).all():
            raise BadMessage("touch frame holds values that are not finite")
        self._ring.push(frame[None])
        self._since_hop += 1
        if self._ring.total < self.format.frames or self._since_hop < self._hop:
            return []
        self._since_hop = 0
        stamp, frame_id = stamp_and_frame(message)
        return self._look(stamp, frame_id)

    def _look(self, stamp: int, frame_id: str) -> list[Sample]:
        window = self._ring.view
        stroke = newest_gesture(self._active(window), self._pause)
        if stroke is None:
            return [Sample(np.zeros(self.input_shape, np.float32), stamp, frame_id, 0.0, "no contact")]
        cut = not (stroke.begun and stroke.ended)
        fills_window = not (stroke.begun or stroke.ended)
        if cut and not fills_window:
            return []
        raw = window[stroke.start : stroke.end]
        verdict = self.check(raw)
        if fills_window:
            verdict = Check(min(verdict.quality, 0.5), verdict.reason or "contact without pauses")
        return [Sample(self.prepare(raw), stamp, frame_id, verdict.quality, verdict.reason)]

    def _active(self, frames: NDArray[np.float32]) -> NDArray[np.bool_]:
        active: NDArray[np.bool_] = frames.reshape(len(frames), -1).max(axis=1) >= self.format.contact
        return active

    def check(self, raw: NDArray[np.float32]) -> Check:
        touched = int(np.count_nonzero(raw >= self.format.contact))
        few, enough = self.format.few, self.format.enough
        quality = float(np.clip((touched - few) / (enough - few), 0.0, 1.0))
        return Check(quality, "" if quality == 1.0 else f"hardly any contact ({touched} taxels)")

    def prepare(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        f = self.format
        active = np.flatnonzero(self._active(raw))
        if len(active):
            raw = raw[active[0] : active[-1] + 1][: f.frames]
        # Slices of equal share of the stroke, not of equal time: writers differ in speed.
        edges = np.linspace(0, len(raw), f.slices + 1).round().astype(np.intp)
        total = np.zeros((len(raw) + 1, f.taxels, f.taxels), np.float32)
        np.cumsum(raw, axis=0, out=total[1:])
        slices: NDArray[np.float32] = np.log1p(total[edges[1:]] - total[edges[:-1]])
        return slices[None]
