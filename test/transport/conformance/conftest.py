"""Every test of this folder runs over each transport; over ROS 2 where it is sourced."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphs import Graph, Ros, Zenoh

ROOT = Path(__file__).parents[3]


@pytest.fixture(params=["zenoh", *(["ros"] if "ROS_DISTRO" in os.environ else [])])
def graph(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    if request.param == "zenoh":
        middleware: Zenoh | Ros = Zenoh()
        for name, value in middleware.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    else:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(request.getfixturevalue("another_ros_domain")))
        middleware = Ros()
    graph = Graph(middleware)
    yield graph
    graph.close()
