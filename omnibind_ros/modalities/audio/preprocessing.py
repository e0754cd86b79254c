"""Microphones: the newest utterance of a window of about one second, as a log-mel spectrogram.

Every hop the sound that came in is resampled to the model's rate, and the newest complete utterance of the
window is found by the pauses around it. It is centred in one second of silence before the spectrum is taken,
so that the model input holds whole words, wherever in the window they were spoken.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage
from omnibind_ros.modalities.audio.pcm import Resampler, decode_pcm, resample
from omnibind_ros.modalities.preprocessor import Check, Sample, stamp_and_frame
from omnibind_ros.modalities.ring import Ring
from omnibind_ros.modalities.segment import Segment, newest_segment
from omnibind_ros.modalities.segment_preprocessor import SegmentPreprocessor


@dataclass(frozen=True)
class AudioFormat:
    """Preprocessing constants of `audio`.

    Attributes:
        rate: samples a second of the model input.
        window_s, hop_s: length of a sample, and how often one is taken.
        fft: samples per spectrum (Hann window of `frame_s`), one every `step_s`.
        mels, low_hz, high_hz: the mel filter bank.
        range_db: levels this far below the loudest point of the spectrogram count as silence.
        pause_s: silence that ends an utterance; the stop in 'eight' is silent for up to 0.2 s.
        silence_db: level (dB re full scale) below which sound is silence.
        activity_db: frames at most this far below the loudest one of the window belong to an utterance.
    """

    rate: int = 8000
    window_s: float = 1.0
    hop_s: float = 0.25
    fft: int = 256
    frame_s: float = 0.025
    step_s: float = 0.01
    mels: int = 40
    low_hz: float = 60.0
    high_hz: float = 3900.0
    range_db: float = 60.0
    pause_s: float = 0.25
    silence_db: float = -66.0
    activity_db: float = 36.0

    @property
    def samples(self) -> int:
        return round(self.rate * self.window_s)

    @property
    def step(self) -> int:
        return round(self.rate * self.step_s)

    @property
    def frame(self) -> int:
        return round(self.rate * self.frame_s)

    @property
    def frames(self) -> int:
        return 1 + (self.samples - self.frame) // self.step


class AudioPreprocessor(SegmentPreprocessor):
    """`audio_common_msgs/AudioData` or `AudioDataStamped`.

    A raw sample is float32 [n], mono in [-1, 1] at `format.rate`.

    Args:
        format: preprocessing constants of the bundle.
        sample_format: `S16LE`, `S32LE` or `F32LE`; the messages do not have it.
        rate: samples a second and channel that the device delivers.
        channels: interleaved channels; they are averaged.
    """

    modality = "audio"
    nothing_happens = "silence"
    no_pauses = "sound without pauses"
    Format = AudioFormat
    format: AudioFormat

    def __init__(
        self,
        format: AudioFormat | None = None,
        *,
        sample_format: str = "S16LE",
        rate: int = 16000,
        channels: int = 1,
    ) -> None:
        super().__init__(format)
        self._sample_format, self._rate, self._channels = sample_format, rate, channels
        f = self.format
        self._resampler = Resampler(rate, f.rate)
        # Longer than the sample, so that a full-length utterance fits together with the pauses around it.
        self._ring = Ring(f.samples + 2 * round(f.pause_s * f.rate))
        # In samples of the device: how many a sample needs, and how often one is taken.
        self._needed = math.ceil(f.samples * rate / f.rate) + self._resampler.latency
        self._hop = round(f.hop_s * rate)
        self.reset()

    def reset(self) -> None:
        self._resampler.reset()
        self._ring.clear()
        self._waiting: list[NDArray[np.float32]] = []
        self._received = 0
        self._since_hop = 0

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, 1, self.format.mels, self.format.frames)

    def feed(self, message: Any, received: int = 0) -> list[Sample]:
        sound = self._decode(message)
        if not len(sound):
            return []
        self._waiting.append(sound)
        self._received += len(sound)
        self._since_hop += len(sound)
        if self._received < self._needed or self._since_hop < self._hop:
            return []
        self._since_hop %= self._hop
        self._ring.push(self._resampler(np.concatenate(self._waiting)))
        self._waiting.clear()
        window = self._ring.view
        return self.cut_out(window, self._newest_utterance(window), *stamp_and_frame(message))

    def join(self, messages: Iterable[Any]) -> NDArray[np.float32]:
        sound = np.concatenate([self._decode(message) for message in messages])
        return resample(sound, self._rate, self.format.rate)

    def _decode(self, message: Any) -> NDArray[np.float32]:
        """One chunk, mono at the device's rate."""
        payload = getattr(message, "audio", message)
        sound = decode_pcm(payload.data, self._sample_format, self._channels)
        if self._sample_format == "F32LE" and not np.isfinite(sound).all():
            raise BadMessage("audio chunk holds values that are not finite; check the sample format")
        return sound

    def _newest_utterance(self, window: NDArray[np.float32]) -> Segment | None:
        """The newest utterance in samples; complete ones first."""
        f = self.format
        active = self._active(window)
        found = newest_segment(active, pause=round(f.pause_s / f.step_s))
        if found is None:
            return None
        return Segment(found.start * f.step, min(len(window), found.end * f.step), found.begun, found.ended)

    def _active(self, sound: NDArray[np.float32]) -> NDArray[np.bool_]:
        """bool [T]: frames of `step_s` that are loud enough to belong to an utterance."""
        step = self.format.step
        usable = sound[: len(sound) // step * step].reshape(-1, step)
        power_db = 10 * np.log10(np.einsum("ij,ij->i", usable, usable) / step + 1e-12)
        if not len(power_db):
            return np.zeros(0, bool)
        floor = max(self.format.silence_db, float(power_db.max()) - self.format.activity_db)
        active: NDArray[np.bool_] = power_db > floor
        return active

    def check(self, raw: NDArray[np.float32]) -> Check:
        level = np.abs(raw)
        if level.max(initial=0.0) <= 10 ** (self.format.silence_db / 20):
            return Check(0.0, "silence")
        clipped = float(np.mean(level >= 0.999))
        if clipped > 0.002:
            return Check(max(0.1, 1.0 - 10.0 * clipped), f"{clipped:.0%} of the samples are clipped")
        return Check(1.0)

    def prepare(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        f = self.format
        active = np.flatnonzero(self._active(raw))
        if len(active):
            raw = raw[active[0] * f.step : (active[-1] + 1) * f.step]
        raw = raw[: f.samples]
        padded = np.zeros(f.samples, np.float32)
        start = (f.samples - len(raw)) // 2
        padded[start : start + len(raw)] = raw
        frames = np.ndarray((f.frames, f.frame), np.float32, padded, strides=(f.step * 4, 4))
        # Only the frames that touch the utterance need a spectrum; the others are silent.
        first, last = max(0, (start - f.frame) // f.step + 1), -(-(start + len(raw)) // f.step)
        spectrum = np.fft.rfft(frames[first:last] * _hann(f.frame), f.fft)
        power = spectrum.real**2 + spectrum.imag**2
        mel_db = np.full((f.mels, f.frames), 10 * np.log10(_LEAST_POWER), np.float32)
        mel_db[:, first:last] = 10 * np.log10(_mel_filters(f) @ power.T + _LEAST_POWER)
        picture = np.maximum(mel_db - mel_db.max(), -f.range_db)
        return np.asarray(picture * np.float32(2.0 / f.range_db) + np.float32(1.0))[None, None]


_LEAST_POWER = np.float32(1e-10)


@lru_cache(maxsize=4)
def _hann(length: int) -> NDArray[np.float32]:
    return np.hanning(length).astype(np.float32)


@lru_cache(maxsize=4)
def _mel_filters(f: AudioFormat) -> NDArray[np.float32]:
    """Triangular filters [mels, fft/2+1] on the mel scale of O'Shaughnessy (1987), 2595 log10(1 + f/700)."""
    low, high = 2595 * np.log10(1 + np.array([f.low_hz, f.high_hz]) / 700)
    corners = 700 * (10 ** (np.linspace(low, high, f.mels + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(f.fft, 1 / f.rate)
    rising = (bins - corners[:-2, None]) / (corners[1:-1] - corners[:-2])[:, None]
    falling = (corners[2:, None] - bins) / (corners[2:] - corners[1:-1])[:, None]
    return np.asarray(np.maximum(0, np.minimum(rising, falling)), np.float32)
