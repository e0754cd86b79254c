"""EventArray: objects to arrays, in order, inside the sensor."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from omnibind_ros.errors import BadMessage
from omnibind_ros.modalities.event.event_array import decode_event_array


def event(x, y, ns, polarity=True):
    return SimpleNamespace(
        x=x, y=y, ts=SimpleNamespace(sec=ns // 10**9, nanosec=ns % 10**9), polarity=polarity
    )


def array(*events, width=64, height=48):
    return SimpleNamespace(width=width, height=height, events=list(events))


def test_events_come_out_in_time_order():
    late, early = event(3, 4, 1_700_000_000_000_000_002), event(1, 2, 1_700_000_000_000_000_001, False)
    events = decode_event_array(array(late, early))
    assert events.t.tolist() == [1_700_000_000_000_000_001, 1_700_000_000_000_000_002]
    assert (events.x.tolist(), events.y.tolist(), events.p.tolist()) == ([1, 3], [2, 4], [False, True])
    assert (events.width, events.height) == (64, 48)
    assert (events.x.dtype, events.t.dtype, events.p.dtype) == ("uint16", "int64", "bool")


def test_events_outside_the_sensor_are_left_out():
    assert decode_event_array(array(event(64, 0, 1), event(0, 48, 2), event(63, 47, 3))).x.tolist() == [63]


def test_no_event_is_no_error():
    assert len(decode_event_array(array())) == 0


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (array(event(-1, 0, 1)), "no dvs_msgs/msg/Event"),
        (array(event("one", 0, 1)), "no dvs_msgs/msg/Event"),
        (array(None), "no dvs_msgs/msg/Event"),
        (array(event(1, 1, 10**40)), "no dvs_msgs/msg/Event"),
        (array(width=0), "0x48"),
        (SimpleNamespace(width=1, height=1, events=b"12"), "bytes, not a list"),
        (SimpleNamespace(width=1, height=1), "no field 'events'"),
    ],
)
def test_bad_arrays(bad, says):
    with pytest.raises(BadMessage, match=says):
        decode_event_array(bad)
