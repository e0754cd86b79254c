"""Runs a node in its process until SIGINT or SIGTERM, then closes it while it can still publish.

rclpy's own signal handlers would end the context first, and the node could publish no goodbye any more.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

import rclpy
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from omnibind_ros.errors import REFUSED
from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.transport.ros.robot_node import RobotNode


def spin(make_node: Callable[[], RobotNode]) -> None:
    """Make the node, run its callbacks one after the other, and close it.

    If rclpy refuses ROS arguments, a parameter file or a parameter, the error is reported in one line and the
    exit status is 2, after which the launch files do not restart the node.
    """
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # rclpy has no public base class for these
        secured = os.environ.get("ROS_SECURITY_ENABLE") == "true"
        hint = "; ROS_SECURITY_ENABLE is set: check ROS_SECURITY_KEYSTORE and the enclave" if secured else ""
        _refuse(error, hint)
    with stop_on_signals() as stop:
        try:
            node = make_node()
        except (ParameterException, NameValidationException) as error:
            _refuse(error)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        # The executor sleeps in C and would not notice.
        wake_up = node.create_guard_condition(lambda: None)
        threading.Thread(target=lambda: (stop.wait(), wake_up.trigger()), daemon=True).start()
        try:
            while not stop.is_set():
                _spin_once(executor, node)
        except ExternalShutdownException:
            return
        node.close()
        executor.shutdown()
        node.destroy_node()
        rclpy.shutdown()


def _refuse(error: Exception, hint: str = "") -> NoReturn:
    reason = re.sub(r", at \S+:\d+", "", f"{type(error).__name__}: {error}")  # lines of rcl's sources
    get_logger("omnibind_ros").fatal(f"the node cannot start: {' '.join(reason.split())}{hint}")
    sys.exit(REFUSED)


def _spin_once(executor: SingleThreadedExecutor, node: RobotNode) -> None:
    try:
        executor.spin_once()
    except ExternalShutdownException:
        raise
    except Exception as error:  # one callback's failure is not the node's end
        node.get_logger().error(f"{type(error).__name__}: {error}", throttle_duration_sec=5.0)
