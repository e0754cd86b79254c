"""Plays raw samples as a driver would: messages of their modality, at the rate of a real sensor.

A modality turns samples into messages and gives the duration of each (`messages.py` in its folder);
`play_samples` keeps the time, and a transport publishes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from omnibind_ros.errors import ConfigError
from omnibind_ros.modalities.definition import ModalityDefinition
from omnibind_ros.modalities.frames import Frames
from omnibind_ros.modalities.registry import find, having
from omnibind_ros.names import nearest
from omnibind_ros.transport.protocol import Transport
from omnibind_ros.transport.qos import SENSOR_DATA
from omnibind_ros.types import Modality

T = TypeVar("T")

FAULTS = ("covered", "frozen")

_TOO_LATE = 500_000_000


def play(
    transport: Transport,
    topic: str,
    modality: Modality,
    samples: Iterable[Any],
    stop: threading.Event,
    *,
    rate: float = 1.0,
    fault: str | None = None,
    seed: int | None = None,
) -> None:
    """Publish until the samples end or `stop` is set; see `play_samples`.

    Raises:
        ConfigError: a modality that cannot be played, or whose message package is not installed.
    """
    type_name, depth = raw_topic(modality)
    publisher = transport.publisher(topic, type_name, replace(SENSOR_DATA, depth=depth))
    publisher.wait_for_subscriber()
    play_samples(publisher.publish, modality, samples, stop, rate=rate, fault=fault, seed=seed)


def raw_topic(modality: Modality) -> tuple[str, int]:
    """The message type to publish, and the queue depth with which a subscriber loses nothing that it needs.

    Raises:
        ConfigError: a modality that cannot be played.
    """
    playable, _ = _playable(modality)
    return playable.publishes, playable.depth


def play_samples(
    publish: Callable[[Any], None],
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
        publish: sends a message of the type that `raw_topic` names, of a rosbags class.
        samples: raw samples of the modality, drawn as they are needed.
        rate: speed; stamps are those of the moment all the same.
        fault: `covered` (a camera in front of which nothing can be seen) or `frozen` (the first sample only).
        seed: of noise.

    Raises:
        ConfigError: a modality that cannot be played, or a fault that it cannot have.
    """
    playable, frames = _playable(modality)
    rng = np.random.default_rng(seed)
    samples = _with_fault(samples, playable, fault, rng)
    end = time.time_ns()
    for duration_s, message in frames(samples, rng):
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


def _playable(modality: Modality) -> tuple[ModalityDefinition, Frames]:
    known = find(modality)
    if known is None or known.frames is None:
        raise ConfigError(f"modality {modality!r} cannot be played{nearest(modality, having('frames'))}")
    return known, known.frames.load()


def _with_fault(
    samples: Iterable[Any], playable: ModalityDefinition, fault: str | None, rng: np.random.Generator
) -> Iterable[Any]:
    if fault is None:
        return samples
    if fault not in FAULTS:
        raise ConfigError(f"no fault {fault!r}{nearest(fault, FAULTS)}")
    if fault == "frozen":
        return _frozen(samples)
    if playable.covered is None:
        able = " or ".join(having("covered"))
        raise ConfigError(f"a sensor of modality {playable.name!r} cannot be covered; take {able}")
    cover = playable.covered.load()
    return (cover(sample, rng) for sample in samples)


def _frozen(samples: Iterable[T]) -> Iterator[T]:
    for sample in samples:
        while True:
            yield sample
