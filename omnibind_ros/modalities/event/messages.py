"""What an event camera publishes: `event_camera_msgs/msg/EventPacket` (evt3) in packets of 10 ms.

A recording is followed by a pause with stray events only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import make_header
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.event.evt3 import encode_evt3
from omnibind_ros.modalities.frames import Frame

_PACKET_S = 0.01
_PAUSE_S = 0.1
_STRAY_EVENTS_HZ = 300.0


def event_message(events: Events, stamp: int, frame_id: str = "", sequence: int = 0) -> Any:
    """`event_camera_msgs/msg/EventPacket` (evt3) of events in time order.

    Args:
        stamp: ns since the epoch, of the first event; `events.t[0]` when the events carry live stamps.
        sequence: number of the packet; a gap tells the decoder that packets were lost.
    """
    return message_class("event_camera_msgs/msg/EventPacket")(
        header=make_header(stamp, frame_id),
        height=events.height,
        width=events.width,
        seq=sequence,
        time_base=0,  # undefined for evt3
        encoding="evt3",
        is_bigendian=False,
        events=np.frombuffer(encode_evt3(events), np.uint8),
    )


def frames(samples: Iterable[Events], rng: np.random.Generator) -> Iterator[Frame]:
    length, sequence = round(_PACKET_S * 1e9), 0
    for sample in samples:
        active = int(sample.t[-1] if len(sample) else 0) // length + 1
        for index in range(active + round(_PAUSE_S / _PACKET_S)):
            begin = index * length
            events = sample.between(begin, begin + length).shifted(-begin)
            if index >= active:
                events = _stray_events(sample.width, sample.height, length, rng)
            yield Frame(_PACKET_S, partial(_packet, events, sequence, length))
            sequence += 1


def _packet(events: Events, sequence: int, length: int, begin: int, end: int) -> Any:
    """Events of a recording, timed from 0 to `length` ns, as if they had happened from `begin` to `end`."""
    live = replace(events, t=begin + events.t * (end - begin) // length)
    return event_message(live, int(live.t[0]) if len(live) else begin, sequence=sequence)


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
