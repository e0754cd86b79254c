"""Topic names, and int nanoseconds to message times and back."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnibind_ros.messages import topics
from omnibind_ros.messages.stamps import ns_to_time, time_to_ns


@given(st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True), st.sampled_from(["", "/", "/robot/", "robot/arm/"]))
def test_the_sensor_of_its_embedding_topic(sensor, namespace):
    topic = topics.embedding_topic(sensor)
    assert topic == f"omnibind/{sensor}/embedding"
    assert topics.sensor_of_embedding_topic(namespace + topic) == sensor


@pytest.mark.parametrize(
    "topic",
    [
        "",
        topics.RECOGNITION,
        topics.FUSED_EMBEDDING,
        topics.LABELS,
        "omnibind//embedding",
        "omnibind/Front/embedding",
        "omnibind/a/b/embedding",
        "xomnibind/a/embedding",
        "omnibind/a/embedding/more",
    ],
)
def test_other_topics_have_no_sensor(topic):
    assert topics.sensor_of_embedding_topic(topic) is None


@given(st.integers(-(2**31) * 10**9, 2**31 * 10**9 - 1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_nanosecond_is_lost(stamp):
    time = ns_to_time(stamp)
    assert 0 <= time.nanosec < 10**9
    assert time_to_ns(time) == stamp
