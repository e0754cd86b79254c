"""Where ROS 2 is not sourced this is the only test of the folder, and says why."""

from __future__ import annotations

import os

import pytest


def test_ros_is_sourced() -> None:
    if "ROS_DISTRO" not in os.environ:
        pytest.skip(
            "the nodes, and the conformance of their transport, are tested where ROS 2 is sourced: "
            "source /opt/ros/<distro>/setup.bash"
        )
    import rclpy  # noqa: F401
