"""A robot of ROS 2 nodes in processes of their own, with the services that drive them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import robot
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterDescriptor
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import QoSProfile
from transport_support import GENEROUS_S, wait_until

from omnibind_ros.process.child import Child, run_main, stop_all
from omnibind_ros.transport.ros.session import ros_transport

try:
    from rclpy.parameter import get_parameter_value
except ImportError:  # Humble
    from ros2param.api import get_parameter_value

EXECUTABLES = "omnibind_ros.transport.ros.executables"


class NodeProcess:
    """A process of which everything that it prints is kept."""

    def __init__(self, name: str, command: tuple[str, ...], environment: Mapping[str, str] | None = None):
        self.lines: list[str] = []
        self.child = Child(name, command, lambda _, line: self.lines.append(line), environment=environment)

    def send(self, number: int) -> float:
        """Send a signal; when, on the steady clock."""
        sent = time.monotonic()
        with suppress(ProcessLookupError):
            os.kill(self.child.pid, number)
        return sent

    def ended(self, within_s: float = GENEROUS_S) -> int:
        """Its exit status, once it has ended."""
        status = self.child.wait(within_s)
        assert status is not None, f"{self.child.name} does not end"
        return status

    def prints(self, text: str) -> str:
        """The first line with `text` in it."""
        found = lambda: next((line for line in list(self.lines) if text in line), None)  # noqa: E731
        return str(wait_until(found, f"{self.child.name} prints {text!r}, not only {self.lines}"))

    def end(self) -> None:
        if self.child.runs:
            self.send(signal.SIGCONT)
        stop_all([self.child])


class Robot(robot.Robot):
    """A fusion process, and whatever a test adds to it.

    Args:
        fusion: parameters of the fusion node.
        sim_time: the nodes have no time before somebody publishes /clock.
        launched: a launch file starts fusion.
    """

    def __init__(
        self,
        bundle: Path,
        namespace: str = "",
        *,
        fusion: Mapping[str, Any] | None = None,
        sim_time: bool = False,
        launched: bool = False,
    ) -> None:
        self.bundle = bundle
        self._sim_time = sim_time
        self._session = ros_transport("test", namespace)
        transport = self._session.__enter__()
        super().__init__(transport)
        self.node = transport.node
        self._clients: dict[tuple[type, str], Any] = {}
        self.fusion = None if launched else self.process("fusion_node", {"bundle": bundle, **(fusion or {})})

    def __enter__(self) -> Robot:
        return self

    def __exit__(self, *_: object) -> None:
        self.tidy()
        if self.fusion:
            self.fusion.end()
        self._session.__exit__(None, None, None)

    def encoder(self, sensor: str, modality: str = "image", **parameters: Any) -> NodeProcess:
        """Start the encoder process of a sensor; its driver's topic is `<sensor>/raw`."""
        own = {"sensor": sensor, "modality": modality, "topic": f"{sensor}/raw", "bundle": self.bundle}
        return self.add(self.process("encoder_node", {**own, **parameters}))

    def process(self, executable: str, parameters: Mapping[str, Any]) -> NodeProcess:
        """A node of this robot; `None` stands for a parameter that is not given."""
        given = {**parameters, "use_sim_time": self._sim_time or None}
        words = [f"{name}:={_yaml(value)}" for name, value in given.items() if value is not None]
        options = [word for setting in words for word in ("-p", setting)]
        namespace = ["-r", f"__ns:={self.transport.namespace}"] if self.transport.namespace != "/" else []
        command = run_main(EXECUTABLES, executable, "--ros-args", *namespace, *options)
        return NodeProcess(str(parameters.get("sensor", executable)), command)

    def offered(self, topic: str) -> list[QoSProfile]:
        """As `ros2 topic info --verbose`: the quality of service of each publisher."""
        topic = self.node.resolve_topic_name(topic)
        return [publisher.qos_profile for publisher in self.node.get_publishers_info_by_topic(topic)]

    # Services

    def transition(self, node: str, label: str) -> bool:
        """As `ros2 lifecycle set`; whether it succeeded."""
        request = ChangeState.Request(transition=Transition(id=_TRANSITIONS[label], label=label))
        return bool(self._call(ChangeState, f"{node}/change_state", request).success)

    def state(self, node: str) -> str:
        """As `ros2 lifecycle get`."""
        return str(self._call(GetState, f"{node}/get_state", GetState.Request()).current_state.label)

    def set(self, node: str, name: str, text: str) -> str:
        """As `ros2 param set`, which reads `text` as YAML; why it was refused, else ''."""
        value = get_parameter_value(string_value=text)
        request = SetParameters.Request(parameters=[Parameter(name=name, value=value)])
        (result,) = self._call(SetParameters, f"{node}/set_parameters", request).results
        assert result.successful == (not result.reason)
        return str(result.reason)

    def get(self, node: str, name: str) -> Any:
        """As `ros2 param get`."""
        request = GetParameters.Request(names=[name])
        (value,) = self._call(GetParameters, f"{node}/get_parameters", request).values
        return parameter_value_to_python(value)

    def describe(self, node: str, name: str) -> ParameterDescriptor:
        """As `ros2 param describe`."""
        request = DescribeParameters.Request(names=[name])
        (descriptor,) = self._call(DescribeParameters, f"{node}/describe_parameters", request).descriptors
        return descriptor

    def _call(self, service: type, name: str, request: Any) -> Any:
        client = self._clients.get((service, name))
        if client is None:
            client = self._clients[service, name] = self.node.create_client(service, name)
        wait_until(client.service_is_ready, f"service {name}")
        future = client.call_async(request)
        wait_until(future.done, f"an answer of {name}")
        return future.result()


_TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
    "shutdown": Transition.TRANSITION_ACTIVE_SHUTDOWN,
}


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
