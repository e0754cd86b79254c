"""Runs nodes in their process until SIGINT or SIGTERM, then closes them while they can still publish.

rclpy's own signal handlers would end the context first, and the nodes could publish no withdrawal any more.
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
from omnibind_ros.transport.ros.ros_log import RosLogHandler


def spin(*make_nodes: Callable[[], RobotNode]) -> None:
    """Make the nodes, run their callbacks one after the other, and close them, the last one first.

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
            nodes = [make_node() for make_node in make_nodes]
        except (ParameterException, NameValidationException) as error:
            _refuse(error)
        RosLogHandler(nodes[0].get_logger()).install()
        executor = SingleThreadedExecutor()
        for node in nodes:
            executor.add_node(node)
        # The executor sleeps in C and would not notice.
        threading.Thread(target=lambda: (stop.wait(), executor.wake()), daemon=True).start()
        try:
            while not stop.is_set():
                _spin_once(executor)
        except ExternalShutdownException:
            return
        for node in reversed(nodes):
            node.close()
        executor.shutdown()
        for node in nodes:
            node.destroy_node()
        rclpy.shutdown()


def _refuse(error: Exception, hint: str = "") -> NoReturn:
    reason = re.sub(r", at \S+:\d+", "", f"{type(error).__name__}: {error}")  # lines of rcl's sources
    get_logger("omnibind_ros").fatal(f"the node cannot start: {' '.join(reason.split())}{hint}")
    sys.exit(REFUSED)


def _spin_once(executor: SingleThreadedExecutor) -> None:
    try:
        executor.spin_once()
    except ExternalShutdownException:
        raise
    except Exception as error:  # one callback's failure is not the process's end
        get_logger("omnibind_ros").error(f"{type(error).__name__}: {error}", throttle_duration_sec=5.0)
