"""A ROS domain for each process that tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnibind_ros.demo.programs import ros_on_this_machine

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def another_ros_domain(ros_domain: int) -> Iterator[int]:
    """A domain without the robots that tests share."""
    from domain_coordinator import domain_id

    with domain_id() as number:
        yield number


@pytest.fixture(scope="session")
def ros_domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A ROS domain that no other test process of this machine uses, for this process and its children."""
    from domain_coordinator import domain_id

    with domain_id() as number, pytest.MonkeyPatch.context() as environment:
        for name, value in ros_on_this_machine(number).items():
            environment.setenv(name, value)
        environment.setenv("ROS_LOG_DIR", str(tmp_path_factory.mktemp("log")))
        environment.setenv("RCUTILS_COLORIZED_OUTPUT", "0")
        environment.setenv("OMP_NUM_THREADS", "1")
        environment.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        yield number
