"""PCM bytes of any common format -> mono float32, and a streaming resampler to the rate of a model.

The resampler is a polyphase windowed-sinc filter (Smith, "Digital Audio Resampling", CCRMA): output m lies
at input position m * source / target; its value is the input around that position weighted by a
Kaiser-windowed sinc, cut off below the lower of the two Nyquist frequencies, so that nothing aliases. For a
rational ratio L / M only L different weightings occur; they are computed once.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadMessage
from omnibind_ros.names import nearest

_FORMATS = {"S16LE": ("<i2", 2.0**-15), "S32LE": ("<i4", 2.0**-31), "F32LE": ("<f4", 1.0)}

_ZERO_CROSSINGS = 16
_KAISER_BETA = 8.0  # about -80 dB in the stop band
_CUTOFF = 0.9  # of the lower Nyquist frequency, the middle of the transition
_MAX_RATE = 768_000
_MAX_CHANNELS = 255  # of an `audio_common_msgs/AudioInfo`
_BLOCK = 1024  # outputs computed at a time, to stay in the cache


def decode_pcm(data: NDArray[np.uint8] | bytes, sample_format: str, channels: int) -> NDArray[np.float32]:
    """Interleaved PCM -> mono float32 [n] in [-1, 1], the mean of the channels. Mono F32LE is a view.

    Args:
        data: uint8 [n] or bytes.
        sample_format: S16LE, S32LE or F32LE.
        channels: how many samples make one frame.

    Raises:
        BadMessage: unknown format, no channel, or a number of bytes that is no whole number of frames.
    """
    if sample_format not in _FORMATS:
        tail = nearest(str(sample_format), _FORMATS)
        raise BadMessage(f"audio has unknown sample format {sample_format!r}{tail}")
    if not isinstance(channels, (int, np.integer)) or not 1 <= channels <= _MAX_CHANNELS:
        raise BadMessage(f"audio has {channels!r} channels; valid: 1 to {_MAX_CHANNELS}")
    dtype, scale = _FORMATS[sample_format]
    raw = np.frombuffer(data, np.uint8)
    frame = np.dtype(dtype).itemsize * int(channels)
    if raw.size % frame:
        raise BadMessage(
            f"audio chunk of {raw.size} bytes is cut in the middle of a frame: {channels} channels of "
            f"{sample_format} are {frame} bytes"
        )
    frames: NDArray[np.generic] = np.ndarray((raw.size // frame, int(channels)), dtype, raw)
    if channels > 1:
        mixed: NDArray[np.float64] = frames.mean(axis=1, dtype=np.float64)
        return (mixed * scale).astype(np.float32)
    mono: NDArray[np.float32] = frames[:, 0].astype(np.float32, copy=False)
    return mono if scale == 1.0 else np.multiply(mono, np.float32(scale), out=mono)


class Resampler:
    """A stream of float32 samples at `source_rate` -> the same signal at `target_rate`.

    However the stream is cut into chunks, the output is the same. Output 0 lies exactly at input 0. The
    filter looks `latency` input samples ahead: the output ends that much before the input, until `flush`.

    Args:
        source_rate, target_rate: Hz, integers from 1 to 768000; any ratio.

    Raises:
        BadMessage: a rate is no such integer.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        for rate in (source_rate, target_rate):
            if not isinstance(rate, (int, np.integer)) or not 1 <= rate <= _MAX_RATE:
                raise BadMessage(f"audio cannot be resampled from {source_rate!r} to {target_rate!r} Hz")
        divisor = math.gcd(int(source_rate), int(target_rate))
        self._up, self._down = int(target_rate) // divisor, int(source_rate) // divisor
        self.latency = 0
        if self._up != self._down:
            self._weights = _polyphase_weights(self._up, self._down)
            self.latency = self._weights.shape[1] // 2
        self.reset()

    def reset(self) -> None:
        """Forget the stream; the next sample is the first."""
        self._phase = 0  # of the next output, in 1 / up input samples from the start of its window
        self._tail = np.zeros(max(0, self.latency - 1), np.float32)

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 [n] -> float32 [about n * target / source]; `samples` itself when the rates are equal."""
        if self._up == self._down:
            return samples
        signal = np.concatenate([self._tail, samples])
        width = self._weights.shape[1]
        windows = len(signal) - width + 1
        # output k of this call starts its window at input (phase + k * down) // up
        count = max(0, -((self._phase - windows * self._up) // self._down))
        output = np.empty(count, np.float32)
        if self._up == 1 and count:  # a whole ratio, as 48 to 8 kHz: all outputs have the same weights
            blocks = np.lib.stride_tricks.sliding_window_view(signal, width)[self._phase :: self._down]
            np.einsum("nk,k->n", blocks, self._weights[0], out=output)
        else:
            self._weigh(signal, output)
        self._phase += count * self._down
        used = min(self._phase // self._up, len(signal))
        self._phase -= used * self._up
        self._tail = signal[used:]
        return output

    def _weigh(self, signal: NDArray[np.float32], output: NDArray[np.float32]) -> None:
        """Fill `output`, every output with the weights of its own phase."""
        count, width = len(output), self._weights.shape[1]
        for first in range(0, count, _BLOCK):
            ticks = self._phase + np.arange(first, min(first + _BLOCK, count), dtype=np.int64) * self._down
            start, phase = np.divmod(ticks, self._up)
            block = np.lib.stride_tricks.sliding_window_view(signal, width)[start]
            np.einsum("nk,nk->n", block, self._weights[phase], out=output[first : first + _BLOCK])

    def flush(self) -> NDArray[np.float32]:
        """The rest of the output, as if silence followed; the next sample then starts a new stream."""
        rest = self(np.zeros(self.latency, np.float32))
        self.reset()
        return rest


def resample(samples: NDArray[np.float32], source_rate: int, target_rate: int) -> NDArray[np.float32]:
    """A whole recording, float32 [n] -> float32 [ceil(n * target / source)].

    Raises:
        BadMessage: a rate is no such integer.
    """
    resampler = Resampler(source_rate, target_rate)
    output = resampler(samples)
    return output if output is samples else np.concatenate([output, resampler.flush()])


def _polyphase_weights(up: int, down: int) -> NDArray[np.float32]:
    """float32 [up, taps]: the weights of the inputs around an output that lies phase / up after an input."""
    cutoff = _CUTOFF * min(1.0, up / down)
    half = math.ceil(_ZERO_CROSSINGS / cutoff)
    distance = np.arange(1 - half, half + 1) - np.arange(up)[:, None] / up
    window = np.i0(_KAISER_BETA * np.sqrt(np.maximum(0.0, 1.0 - (distance / half) ** 2)))
    weights: NDArray[np.float64] = np.sinc(cutoff * distance) * window
    weights /= weights.sum(axis=1, keepdims=True)
    return weights.astype(np.float32)
