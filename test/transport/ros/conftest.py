"""A bundle and a robot for each process that tests; without ROS 2 one line gives the reason."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROS_IS_SOURCED = "ROS_DISTRO" in os.environ

if ROS_IS_SOURCED:
    from ros_robot import Robot
    from tiny_bundle import write_tiny_bundle
    from transport_support import wait_until
else:
    # What is left tells the reason.
    collect_ignore = [
        path.name for path in Path(__file__).parent.glob("test_*.py") if path.name != "test_ros_is_sourced.py"
    ]


@pytest.fixture(scope="session", autouse=ROS_IS_SOURCED)
def domain(ros_domain: int) -> int:
    return ros_domain


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def shared_robot(bundle: Path) -> Iterator[Robot]:
    with Robot(bundle) as robot:
        yield robot


@pytest.fixture
def robot(shared_robot: Robot) -> Iterator[Robot]:
    """A robot with fusion and no sensor. Sensors of different tests have different names."""
    yield shared_robot
    shared_robot.tidy()
    wait_until(lambda: not shared_robot.witness.live_now(), "no sensor live after the test")
