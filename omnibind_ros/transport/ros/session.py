"""A plain node for commands, with a thread of its own for callbacks, beside whatever else rclpy does here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import rclpy
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from omnibind_ros.transport.ros.transport import RosTransport

_log = logging.getLogger(__name__)


@contextmanager
def ros_transport(name: str, namespace: str = "", domain: int | None = None) -> Iterator[RosTransport]:
    """A node in a context of its own, as a transport; signals are left to the caller."""
    context = Context()
    rclpy.init(context=context, domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(name, namespace=namespace, context=context, use_global_arguments=False)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=_spin, args=(executor,), name="rclpy", daemon=True)
    thread.start()
    try:
        yield RosTransport(node)
    finally:
        executor.shutdown()
        thread.join()
        node.destroy_node()
        rclpy.shutdown(context=context)


def _spin(executor: SingleThreadedExecutor) -> None:
    while True:
        try:
            executor.spin()
            return
        except ExternalShutdownException:
            return
        except Exception:  # e.g. of a subscription that another thread closed while its message was taken
            _log.debug("executor", exc_info=True)
