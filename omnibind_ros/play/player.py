"""Plays raw samples as a driver would: messages of their modality, at the rate of a real sensor.

A modality is a function that turns samples into frames: how long one lasts, and its message once the moments
it begins and ends are known. `play_samples` keeps the time; a shell publishes.

    image 10 Hz, thermal 9 Hz, point_cloud 5 Hz, text every 2 s      a sample a frame
    audio        50 ms chunks: an utterance, then a pause of faint room noise
    event        10 ms packets: a recording, then a pause with stray events only
    touch        120 Hz frames: a stroke, then rest
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.config.robot import AudioOptions
from omnibind_ros.errors import ConfigError
from omnibind_ros.messages.types import MessageTypes
from omnibind_ros.modalities import raw
from omnibind_ros.modalities.audio.pcm import Resampler
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.names import nearest
from omnibind_ros.types import Modality

T = TypeVar("T")

RECORDED_AUDIO_RATE = 8000
"""Samples a second of the audio samples handed to the player."""

AUDIO_RATE = AudioOptions().rate
"""Samples a second of the audio messages: what an encoder expects unless told otherwise."""

FAULTS = ("covered", "frozen")

PERIOD_S: Mapping[Modality, float] = {"image": 1 / 10, "thermal": 1 / 9, "point_cloud": 1 / 5, "text": 2.0}
"""Seconds between two samples of the modalities whose every message is one."""

PAUSE_S: Mapping[Modality, float] = {"audio": 0.6, "event": 0.1, "touch": 0.6}
"""Seconds between two samples of the modalities that are streams."""

_CHUNK_S = 0.05
_ROOM_NOISE = 10 ** (-70 / 20)  # of full scale: a quiet room; a microphone never delivers digital zero
_PACKET_S = 0.01
_STRAY_EVENTS_HZ = 300.0
_TOUCH_HZ = 120.0
_STREAM_DEPTH = 50
_SINGLE_DEPTH = 5
_TOO_LATE = 500_000_000


class Frame(NamedTuple):
    """One message to come; `message(begin, end)` makes it, given when the frame began and ends (ns)."""

    duration_s: float
    message: Callable[[int, int], Any]


Frames = Callable[[MessageTypes, Iterable[Any], np.random.Generator], Iterator[Frame]]


def raw_topic(modality: Modality) -> tuple[str, int]:
    """What to publish: the message type, and the depth that lets a subscriber miss nothing it needs.

    Raises:
        ConfigError: a modality that cannot be played.
    """
    if modality not in _FRAMES:
        raise ConfigError(f"modality {modality!r} cannot be played{nearest(modality, _FRAMES)}")
    return raw.RAW_TYPE[modality], _STREAM_DEPTH if modality in _STREAMS else _SINGLE_DEPTH


def play_samples(
    publish: Callable[[Any], None],
    types: MessageTypes,
    modality: Modality,
    samples: Iterable[Any],
    stop: threading.Event,
    *,
    rate: float = 1.0,
    fault: str | None = None,
    seed: int | None = None,
) -> None:
    """Publish until the samples end or `stop` is set.

    Args:
        publish: sends a message of the type that `raw_topic` names.
        types: message classes of the shell.
        samples: raw samples of the modality (audio at `RECORDED_AUDIO_RATE`), drawn as they are needed.
        rate: speed; stamps are those of the moment all the same.
        fault: `covered` (a camera that sees nothing but its own noise) or `frozen` (the first sample only).
        seed: of noise.

    Raises:
        ConfigError: a modality that cannot be played, or a fault that it cannot have.
    """
    raw_topic(modality)
    rng = np.random.default_rng(seed)
    samples = _with_fault(samples, modality, fault, rng)
    end = time.time_ns()
    for duration_s, message in _FRAMES[modality](types, samples, rng):
        duration = round(duration_s / rate * 1e9)
        begin, end = end, end + duration
        wait = end - time.time_ns()
        if not -_TOO_LATE <= wait <= duration + _TOO_LATE:  # it was held up, or the clock was set
            begin, end, wait = end - duration - wait, end - wait, 0
        if stop.wait(max(0, wait) / 1e9):
            return
        publish(message(begin, end))


def shuffled(items: Sequence[T], rng: np.random.Generator, *, loop: bool) -> Iterator[T]:
    """All items in random order, again and again if `loop`; never the same one twice in a row.

    Real sensors have noise: one that repeats itself to the bit counts as stuck.
    """
    last = -1
    while len(items):
        order = rng.permutation(len(items))
        if order[0] == last and len(items) > 1:
            order = np.roll(order, -1)
        last = int(order[-1])
        yield from (items[index] for index in order)
        if not loop:
            return


# -------- a frame a sample


Encode = Callable[[MessageTypes, Any, int], Any]
"""Types, sample, stamp -> message."""


def _single(period_s: float, encode: Encode) -> Frames:
    def frames(types: MessageTypes, samples: Iterable[Any], rng: np.random.Generator) -> Iterator[Frame]:
        wait = 0.0
        for sample in samples:
            yield Frame(wait, _stamped_at_its_end(types, encode, sample))
            wait = period_s

    return frames


def _stamped_at_its_end(types: MessageTypes, encode: Encode, sample: Any) -> Callable[[int, int], Any]:
    return lambda begin, end: encode(types, sample, end)


def _text(types: MessageTypes, sample: str, end: int) -> Any:
    return raw.text(types, sample)


# -------- many frames a sample


def _audio(
    types: MessageTypes, samples: Iterable[NDArray[np.float32]], rng: np.random.Generator
) -> Iterator[Frame]:
    resample, chunk = Resampler(RECORDED_AUDIO_RATE, AUDIO_RATE), round(_CHUNK_S * AUDIO_RATE)
    pause = np.zeros(round(PAUSE_S["audio"] * RECORDED_AUDIO_RATE), np.float32)
    waiting = resample(pause)
    for sample in samples:
        waiting = np.concatenate([waiting, resample(sample), resample(pause)])
        whole = len(waiting) // chunk * chunk
        for sound in waiting[:whole].reshape(-1, chunk):
            noisy = sound + rng.normal(0, _ROOM_NOISE, chunk).astype(np.float32)
            yield Frame(_CHUNK_S, _stamped_at_its_end(types, raw.audio_chunk, noisy))
        waiting = waiting[whole:]


def _event(types: MessageTypes, samples: Iterable[Events], rng: np.random.Generator) -> Iterator[Frame]:
    length, sequence = round(_PACKET_S * 1e9), 0
    for sample in samples:
        active = int(sample.t[-1] if len(sample) else 0) // length + 1
        for index in range(active + round(PAUSE_S["event"] / _PACKET_S)):
            begin = index * length
            events = sample.between(begin, begin + length).shifted(-begin)
            if index >= active:
                events = _stray_events(sample.width, sample.height, length, rng)
            yield Frame(_PACKET_S, partial(_packet, types, events, sequence, length))
            sequence += 1


def _packet(types: MessageTypes, events: Events, sequence: int, length: int, begin: int, end: int) -> Any:
    """Events of a recording, timed from 0 to `length` ns, as if they had happened from `begin` to `end`."""
    live = replace(events, t=begin + events.t * (end - begin) // length)
    return raw.event_packet(types, live, int(live.t[0]) if len(live) else begin, sequence=sequence)


def _stray_events(width: int, height: int, length: int, rng: np.random.Generator) -> Events:
    n = int(rng.poisson(_STRAY_EVENTS_HZ * _PACKET_S))
    return Events(
        rng.integers(0, width, n).astype(np.uint16),
        rng.integers(0, height, n).astype(np.uint16),
        np.sort(rng.integers(0, length, n)),
        rng.random(n) < 0.5,
        width,
        height,
    )


def _touch(
    types: MessageTypes, samples: Iterable[NDArray[np.float32]], rng: np.random.Generator
) -> Iterator[Frame]:
    for sample in samples:
        rest = np.zeros((round(PAUSE_S["touch"] * _TOUCH_HZ), *sample.shape[1:]), np.float32)
        for pressure in (*sample, *rest):
            yield Frame(1 / _TOUCH_HZ, _stamped_at_its_end(types, raw.touch_frame, pressure))


_FRAMES: dict[Modality, Frames] = {
    "image": _single(PERIOD_S["image"], raw.image),
    "thermal": _single(PERIOD_S["thermal"], raw.image),
    "point_cloud": _single(PERIOD_S["point_cloud"], raw.point_cloud),
    "text": _single(PERIOD_S["text"], _text),
    "audio": _audio,
    "event": _event,
    "touch": _touch,
}
_STREAMS = ("audio", "event", "touch")


# -------- faults


def _with_fault(
    samples: Iterable[Any], modality: Modality, fault: str | None, rng: np.random.Generator
) -> Iterable[Any]:
    if fault is None:
        return samples
    if fault not in FAULTS:
        raise ConfigError(f"no fault {fault!r}{nearest(fault, FAULTS)}")
    if fault == "frozen":
        return _frozen(samples)
    if modality not in ("image", "thermal"):
        raise ConfigError(f"only a camera (image, thermal) can be covered, not a sensor of {modality!r}")
    return (_covered(sample, rng) for sample in samples)


def _frozen(samples: Iterable[T]) -> Iterator[T]:
    for sample in samples:
        while True:
            yield sample


def _covered(picture: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """What a camera delivers behind a lens cap: black, and the noise of its own electronics."""
    dark = np.abs(rng.normal(0.0, 2.0, picture.shape))
    return dark.astype(picture.dtype)
