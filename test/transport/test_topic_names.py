"""Topic names and patterns."""

from __future__ import annotations

import pytest

from omnibind_ros.errors import ConfigError
from omnibind_ros.transport.topic_names import full_namespace, full_topic, topic_matches


@pytest.mark.parametrize(
    "topic, namespace, full",
    [
        ("omnibind/recognition", "/", "/omnibind/recognition"),
        ("omnibind/recognition", "/robot", "/robot/omnibind/recognition"),
        ("/diagnostics", "/robot", "/diagnostics"),
        ("~/raw", "/", "/cam/raw"),
        ("~/raw", "/robot", "/robot/cam/raw"),
    ],
)
def test_topics_resolve_as_in_ros(topic: str, namespace: str, full: str) -> None:
    assert full_topic(topic, namespace, "cam") == full


def test_patterns_resolve_as_topics_do() -> None:
    pattern = full_topic("omnibind/*/embedding", "/robot", "cam", wildcards=True)
    assert pattern == "/robot/omnibind/*/embedding"
    assert topic_matches("/robot/omnibind/front_camera/embedding", pattern)
    assert not topic_matches("/robot/omnibind/a/b/embedding", pattern)
    assert not topic_matches("/robot/omnibind/recognition", pattern)


def test_namespaces_begin_with_a_slash() -> None:
    namespaces = [full_namespace(text) for text in ("", "/", "robot", "/fleet/robot/")]
    assert namespaces == ["/", "/", "/robot", "/fleet/robot"]


@pytest.mark.parametrize("topic", ["", "/", "a//b", "a/", "1st", "a b", "a%b", "a*b", "ü", "~", "~x"])
def test_bad_topic_names_are_refused(topic: str) -> None:
    with pytest.raises(ConfigError, match="ROS name"):
        full_topic(topic, "/", "cam")
