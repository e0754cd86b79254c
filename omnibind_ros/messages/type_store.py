"""The definitions of all known message types: those of one ROS 2 distribution, and the packages it lacks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from importlib import resources

from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

_STORES = {"humble": Stores.ROS2_HUMBLE, "jazzy": Stores.ROS2_JAZZY}


@cache
def type_store() -> Typestore:
    """The one type store of this process, built in about 0.1 s on the first call.

    Its standard types are those of the sourced distribution (environment ROS_DISTRO), else those of Jazzy.
    """
    store = get_typestore(_STORES.get(os.environ.get("ROS_DISTRO", ""), Stores.ROS2_JAZZY))
    extra = {}
    for type_name, text in _definitions():
        extra.update(get_types_from_msg(text, type_name))
    store.register(extra)
    return store


def _definitions() -> Iterator[tuple[str, str]]:
    """(`vision_msgs/msg/Classification`, its text) for every packaged .msg file."""
    root = resources.files("omnibind_ros.messages") / "definitions"
    for package in root.iterdir():
        for file in (package / "msg").iterdir():
            yield f"{package.name}/msg/{file.name.removesuffix('.msg')}", file.read_text(encoding="utf-8")
