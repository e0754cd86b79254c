"""ROS 2 message classes by name: rclpy needs them to make publishers and subscriptions."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from rosidl_runtime_py.utilities import get_message

from omnibind_ros.errors import ConfigError
from omnibind_ros.messages.cdr import prepare


@cache
def message_class(type_name: str) -> Any:
    """The installed class of a message type such as `sensor_msgs/msg/Image`.

    Raises:
        ConfigError: its package is not installed; names the Debian package.
    """
    prepare(type_name)
    try:
        return get_message(type_name)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        package = type_name.split("/")[0].replace("_", "-")
        distribution = os.environ.get("ROS_DISTRO", "<distro>")
        raise ConfigError(
            f"message type {type_name} is not installed; try apt install ros-{distribution}-{package}"
        ) from error
