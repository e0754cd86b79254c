"""The two transports as the conformance tests use them: nodes in this process, and processes beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Protocol

from transport_support import Process, free_port

from omnibind_ros.transport.protocol import Publisher, Transport
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.session import ROUTER_VARIABLE, Network

DOMAIN = 42


class Middleware(Protocol):
    """What opens nodes, and how it differs from the other one."""

    name: str
    counts_replaced: bool
    """messages that a newer one replaced while they waited are counted as lost"""

    def node(self, name: str, namespace: str) -> AbstractContextManager[Transport]: ...

    def wait_until_received(self, publisher: Any) -> None:
        """Until every subscription has what was published, whether or not its callback was called."""


class Graph:
    """Nodes and processes of one middleware; they end with the test."""

    def __init__(self, middleware: Middleware) -> None:
        self.middleware = middleware
        self._closing = ExitStack()

    def node(self, name: str = "node", namespace: str = "/") -> Transport:
        return self._closing.enter_context(self.middleware.node(name, namespace))

    def process(self, role: str, *arguments: object) -> Process:
        """A process that plays a role of `graph_actor.py`, and is killed with the test."""
        process = Process("graph_actor", self.middleware.name, role, *arguments)
        self.at_close(process.kill)
        return process

    def at_close(self, close: Callable[[], object]) -> None:
        """What is to be called before the nodes that there are now are closed."""
        self._closing.callback(close)

    def close(self) -> None:
        self._closing.close()


class Zenoh:
    name = "zenoh"
    counts_replaced = True

    def __init__(self) -> None:
        self._network = Network(router=f"tcp/127.0.0.1:{free_port()}")
        self.environment = {ROUTER_VARIABLE: self._network.router, "ROS_DOMAIN_ID": str(DOMAIN)}

    def node(self, name: str, namespace: str) -> AbstractContextManager[Transport]:
        return Node(name, namespace, DOMAIN, self._network)

    def wait_until_received(self, publisher: Publisher) -> None:
        """Nothing to do: Zenoh delivers to the sessions of one process in turn."""


class Ros:
    name = "ros"
    counts_replaced = False

    @contextmanager
    def node(self, name: str, namespace: str) -> Iterator[Transport]:
        from omnibind_ros.transport.ros.session import ros_transport

        with ros_transport(name, namespace.strip("/")) as transport:
            yield transport

    def wait_until_received(self, publisher: Any) -> None:
        from rclpy.duration import Duration

        assert publisher._publisher.wait_for_all_acked(Duration(seconds=20))
