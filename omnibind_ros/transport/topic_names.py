"""Topic names as ROS 2 resolves them, and patterns of them."""

from __future__ import annotations

import re

from omnibind_ros.errors import ConfigError


def full_namespace(namespace: str) -> str:
    """`robot1/`, `/robot1` -> `/robot1`; empty -> `/`.

    Raises:
        ConfigError: a part is not a ROS name.
    """
    return _checked("/" + namespace.strip("/"), namespace, "namespace")


def full_topic(topic: str, namespace: str, node: str, *, wildcards: bool = False) -> str:
    """A topic name resolved without remapping: `x` -> `/ns/x`, `~/x` -> `/ns/node/x`, `/x` stays.

    Args:
        namespace: with a leading slash.
        wildcards: `*` may stand for (a part of) one segment.

    Raises:
        ConfigError: not a ROS topic name.
    """
    if topic.endswith("/") or not topic:
        raise ConfigError(
            f"topic {topic!r} is not a ROS name: write e.g. 'camera/image_raw' or '/camera/image_raw'"
        )
    inside = f"{node}{topic[1:]}" if topic.startswith("~/") else topic
    name = inside if inside.startswith("/") else f"{namespace.rstrip('/')}/{inside}"
    return _checked(name, topic, "topic", wildcards=wildcards)


def topic_matches(topic: str, pattern: str) -> bool:
    """Whether a full topic name matches a full pattern, in which `*` stands for (a part of) one segment."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]*"), topic) is not None


def _checked(name: str, given: str, what: str, *, wildcards: bool = False) -> str:
    part = r"[A-Za-z_*][A-Za-z0-9_*]*" if wildcards else r"[A-Za-z_][A-Za-z0-9_]*"
    if name != "/" and not re.fullmatch(f"(/{part})+", name):
        raise ConfigError(
            f"{what} {given!r} is not a ROS name: "
            "use letters, digits and '_', no digit first, and join parts with '/'"
        )
    return name
