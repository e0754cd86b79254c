"""EventArray: objects to arrays, in order, inside the sensor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_messages import make

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import ns_to_time
from omnibind_ros.modalities.event.event_array import decode_event_array


def event(x, y, ns, polarity=True):
    return message_class("dvs_msgs/msg/Event")(x=x, y=y, ts=ns_to_time(ns), polarity=polarity)


def array(*events, width=64, height=48):
    return make("dvs_msgs/msg/EventArray", header=0, width=width, height=height, events=list(events))


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


def test_a_sensor_without_a_size_is_refused():
    with pytest.raises(BadMessage, match="0x48"):
        decode_event_array(array(width=0))


@given(
    st.lists(
        st.builds(
            event, st.integers(0, 65535), st.integers(0, 65535), st.integers(-(2**60), 2**60), st.booleans()
        ),
        max_size=8,
    ),
    st.sampled_from([1, 40, 2**32 - 1]),
)
def test_any_events_come_out_sorted_and_inside(events, width):
    decoded = decode_event_array(array(*events, width=width))
    inside = [e for e in events if e.x < width and e.y < 48]
    assert decoded.t.tolist() == sorted(e.ts.sec * 10**9 + e.ts.nanosec for e in inside)
    assert sorted(decoded.x.tolist()) == sorted(e.x for e in inside)
