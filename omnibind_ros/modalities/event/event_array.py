"""dvs_msgs/EventArray -> events. One Python object an event is slow by design: prefer EventPacket."""

from __future__ import annotations

from typing import Any

import numpy as np

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.fields import NANOSECONDS
from omnibind_ros.modalities.event.events import Events

_EVENT = np.dtype([("x", "u2"), ("y", "u2"), ("sec", "i8"), ("nanosec", "i8"), ("p", "?")])


def decode_event_array(message: Any) -> Events:
    """The events of a `dvs_msgs/EventArray`, in time order; those outside the sensor are left out.

    Raises:
        BadMessage: the sensor has no size.
    """
    width, height = message.width, message.height
    if 0 in (width, height):
        raise BadMessage(f"event array has a sensor of {width}x{height}: set width and height in the driver")
    rows = np.fromiter(
        ((e.x, e.y, e.ts.sec, e.ts.nanosec, e.polarity) for e in message.events), _EVENT, len(message.events)
    )
    rows = rows[(rows["x"] < width) & (rows["y"] < height)]
    t = rows["sec"] * NANOSECONDS + rows["nanosec"]
    if np.any(t[1:] < t[:-1]):
        order = np.argsort(t, kind="stable")
        rows, t = rows[order], t[order]
    return Events(rows["x"], rows["y"], t, rows["p"], width, height)
