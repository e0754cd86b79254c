"""Runs a node in its process until SIGINT or SIGTERM, and then takes it from the graph in good order.

rclpy's own signal handlers would end the context first, and the node could publish no goodbye any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.transport.ros.robot_node import RobotNode


def spin(make_node: Callable[[], RobotNode]) -> None:
    """Make the node, run its callbacks one after the other, and close it."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    with stop_on_signals() as stop:
        node = make_node()
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


def _spin_once(executor: SingleThreadedExecutor, node: RobotNode) -> None:
    try:
        executor.spin_once()
    except ExternalShutdownException:
        raise
    except Exception as error:  # one callback's failure is not the node's end
        node.get_logger().error(f"{type(error).__name__}: {error}", throttle_duration_sec=5.0)
