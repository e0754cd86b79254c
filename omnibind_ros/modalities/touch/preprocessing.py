"""Tactile skins: a stream of small frames, cut into strokes at the pauses between them.

The frames of one stroke (up to two seconds) become a stack of time slices, which hold where the skin was
touched, and in which order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage
from omnibind_ros.modalities.image.encodings import decode_image, to_intensity
from omnibind_ros.modalities.preprocessor import Check, Sample, stamp_and_frame
from omnibind_ros.modalities.ring import Ring
from omnibind_ros.modalities.segment import newest_segment
from omnibind_ros.modalities.segment_preprocessor import SegmentPreprocessor


@dataclass(frozen=True)
class TouchFormat:
    """Preprocessing constants of `touch`.

    Attributes:
        taxels: side of the square array.
        rate: frames a second.
        window_s, hop_s: longest stroke, and how often a sample is taken.
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


class TouchPreprocessor(SegmentPreprocessor):
    """`sensor_msgs/Image` frames (mono8, 32FC1, ...); raw sample: float32 [T,H,W] in [0, 1]."""

    modality = "touch"
    nothing_happens = "no contact"
    no_pauses = "contact without pauses"
    Format = TouchFormat
    format: TouchFormat

    def __init__(self, format: TouchFormat | None = None) -> None:
        super().__init__(format)
        f = self.format
        self._pause = round(f.pause_s * f.rate)
        self._hop = round(f.hop_s * f.rate)
        length = f.frames + 2 * self._pause
        self._ring, self._touched = Ring(length, (f.taxels, f.taxels)), Ring(length, dtype=np.bool_)
        self.reset()

    def reset(self) -> None:
        self._ring.clear()
        self._touched.clear()
        self._waiting: list[NDArray[Any]] = []
        self._since_hop = 0

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, self.format.slices, self.format.taxels, self.format.taxels)

    def feed(self, message: Any, received: int = 0) -> list[Sample]:
        frame = self._decode(message)
        if self._waiting and self._waiting[0].dtype != frame.dtype:
            self._take_in()
        self._waiting.append(frame)
        self._since_hop += 1
        if self._since_hop < self._hop or self._ring.total + len(self._waiting) < self.format.frames:
            return []
        self._since_hop = 0
        self._take_in()
        stroke = newest_segment(self._touched.view, self._pause)
        return self.cut_out(self._ring.view, stroke, *stamp_and_frame(message))

    def _decode(self, message: Any) -> NDArray[Any]:
        """One good frame [H,W] as the message has it: uint8, uint16 or float32."""
        pixels = decode_image(message)
        expected = (self.format.taxels, self.format.taxels)
        if pixels.shape[:2] != expected:
            raise BadMessage(f"touch frame has {pixels.shape} taxels, the encoder was trained on {expected}")
        if pixels.ndim == 3:
            return np.asarray(to_intensity(pixels) / np.float32(255))
        if pixels.dtype == np.float32 and not np.isfinite(pixels).all():
            raise BadMessage("touch frame holds values that are not finite")
        return pixels

    def join(self, messages: Iterable[Any]) -> NDArray[np.float32]:
        return np.stack([_scaled(self._decode(message)) for message in messages])

    def _take_in(self) -> None:
        """Scale what came since the last hop to [0, 1], all frames in one go."""
        frames = _scaled(np.stack(self._waiting))
        self._waiting.clear()
        self._ring.push(frames)
        self._touched.push(self._active(frames))

    def _active(self, frames: NDArray[np.float32]) -> NDArray[np.bool_]:
        active: NDArray[np.bool_] = frames.reshape(len(frames), -1).max(axis=1) >= self.format.contact
        return active

    def check(self, raw: NDArray[np.float32]) -> Check:
        touched = int(np.count_nonzero(raw >= self.format.contact))
        few, enough = self.format.few, self.format.enough
        quality = min(1.0, max(0.0, (touched - few) / (enough - few)))
        return Check(quality, "" if quality == 1.0 else f"hardly any contact ({touched} taxels)")

    def prepare(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        f = self.format
        active = np.flatnonzero(self._active(raw))
        if len(active):
            raw = raw[active[0] : active[-1] + 1][: f.frames]
        # Slices of equal share of the stroke, not of equal time: writers differ in speed.
        edges = np.linspace(0, len(raw), f.slices + 1).round().astype(int).tolist()
        slices = np.empty(self.input_shape, np.float32)
        for number, (begin, end) in enumerate(pairwise(edges)):
            raw[begin:end].sum(axis=0, out=slices[0, number])
        return np.log1p(slices, out=slices)


def _scaled(frames: NDArray[Any]) -> NDArray[np.float32]:
    """Whole numbers to [0, 1]; float32 as it is."""
    if frames.dtype == np.float32:
        return frames
    return np.asarray(frames / np.float32(np.iinfo(frames.dtype).max))
