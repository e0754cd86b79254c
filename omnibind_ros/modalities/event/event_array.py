"""dvs_msgs/EventArray -> events. One object an event is slow by design: prefer EventPacket."""

from __future__ import annotations

import numpy as np

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.fields import NANOSECONDS, read_count, read_field
from omnibind_ros.modalities.event.events import Events

# NumPy 1 would wrap what does not fit into 16 bits, so a wider type is filled and then looked at.
_EVENT = np.dtype([("x", "i8"), ("y", "i8"), ("sec", "i8"), ("nanosec", "i8"), ("p", "?")])


def decode_event_array(message: object) -> Events:
    """The events of a `dvs_msgs/EventArray`, in time order, those outside the sensor left out.

    Raises:
        BadMessage: a field is missing or of the wrong kind, or the sensor has no size.
    """
    width, height = read_count(message, "width"), read_count(message, "height")
    if width == 0 or height == 0:
        raise BadMessage(
            f"event array says its sensor is {width}x{height}: set width and height in the driver"
        )
    events = read_field(message, "events")
    if not isinstance(events, (list, tuple)):
        raise BadMessage(f"event array holds {type(events).__name__}, not a list of events")
    try:
        rows = np.fromiter(
            ((e.x, e.y, e.ts.sec, e.ts.nanosec, e.polarity) for e in events), _EVENT, count=len(events)
        )
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise BadMessage(f"event array holds something that is no dvs_msgs/msg/Event: {error}") from None

    for axis in ("x", "y"):
        if np.any(rows[axis] != rows[axis].astype(np.uint16)):
            raise BadMessage(
                f"event array holds something that is no dvs_msgs/msg/Event: {axis} is no 16-bit number"
            )
    rows = rows[(rows["x"] < width) & (rows["y"] < height)]
    t = rows["sec"] * NANOSECONDS + rows["nanosec"]
    if np.any(t[1:] < t[:-1]):
        order = np.argsort(t, kind="stable")
        rows, t = rows[order], t[order]
    return Events(rows["x"].astype(np.uint16), rows["y"].astype(np.uint16), t, rows["p"], width, height)
