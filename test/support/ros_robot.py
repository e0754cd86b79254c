"""A robot for tests: real nodes in their processes, drivers to be mistreated, and a witness of it all."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.msg import Parameter, ParameterDescriptor
from rcl_interfaces.srv import DescribeParameters, GetParameters, SetParameters
from rclpy.node import Node
from rclpy.parameter import get_parameter_value, parameter_value_to_python
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rclpy.subscription import Subscription
from sensor_msgs.msg import Image, PointCloud2
from tiny_bundle import picture
from transport_support import GENEROUS_S, wait_until
from vision_msgs.msg import Classification

from omnibind_ros.messages.cdr import serialise
from omnibind_ros.messages.stamps import stamp_of
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.process.child import Child, run_main, stop_all
from omnibind_ros.transport.ros.qos import embedding_qos
from omnibind_ros.transport.ros.session import ros_node

_DEEP = QoSProfile(depth=1000)
LATCHED = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""With what was said before anybody listened."""


def as_cdr(message: Any) -> bytes:
    """A rosbags message as rclpy publishes it."""
    return bytes(serialise(message, message.__msgtype__))


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

    def says(self, text: str) -> str:
        """The first line with `text` in it."""
        found = lambda: next((line for line in list(self.lines) if text in line), None)  # noqa: E731
        return str(wait_until(found, f"{self.child.name} says {text!r}, not only {self.lines}"))

    def end(self) -> None:
        if self.child.runs:
            self.send(signal.SIGCONT)
        stop_all([self.child])


class Driver:
    """A driver that calls `make(stamp)` every `period_s` and publishes the message; it can hang and end."""

    def __init__(
        self,
        node: Node,
        topic: str,
        message_class: type,
        make: Callable[[int], Any],
        period_s: float = 0.05,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._node = node
        self.publisher = node.create_publisher(message_class, topic, qos_profile_sensor_data)
        self.hangs = threading.Event()
        self.first_published = 0.0
        self._make = make
        self._period_s = period_s
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> float:
        """End, and leave the graph; when."""
        left = time.monotonic()
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join()
            left = time.monotonic()
            self._node.destroy_publisher(self.publisher)
        return left

    def _run(self) -> None:
        while not self._stop.wait(self._period_s):
            if self.hangs.is_set():
                continue
            self.publisher.publish(self._make(self._clock()))
            self.first_published = self.first_published or time.monotonic()


class Witness:
    """Hears what fusion says, and when (steady clock)."""

    def __init__(self, node: Node) -> None:
        self.answers: list[tuple[float, Classification]] = []
        self.shares: list[tuple[float, Classification]] = []
        self.reports: list[tuple[str, dict[str, str]]] = []
        """names and values (with `message` and `level`) of all diagnostics so far"""
        for topic, heard in (("recognition", self.answers), ("contributions", self.shares)):
            node.create_subscription(Classification, f"omnibind/{topic}", _keep(heard), _DEEP)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_reports, _DEEP)

    def until(self, sensor: str, live: bool, since: float = 0.0) -> float:
        """When fusion first spoke with (or without) a sensor after `since`; seconds since then."""

        def first() -> float | None:
            shares = list(self.shares)
            return next((at for at, said in shares if at > since and (sensor in names(said)) == live), None)

        return wait_until(first, f"{sensor} {'in' if live else 'out of'} the answer") - since

    def answer_from(self, sensor: str) -> str | None:
        """The newest answer that the sensor has a share in."""
        stamps = {stamp_of(said) for _, said in list(self.shares) if sensor in names(said)}
        answers = reversed(list(self.answers))
        return next(
            (names(said)[0] for _, said in answers if stamp_of(said) in stamps and said.results), None
        )

    def until_answer(self, sensor: str, answer: str) -> None:
        """Until what the sensor has a share in is called that."""
        wait_until(lambda: self.answer_from(sensor) == answer, f"{sensor} sees {answer!r}")

    def next_answer(self, condition: Callable[[Classification], bool]) -> Classification:
        """The first recognition from now on that is as wanted."""
        begun = len(self.answers)
        found = lambda: next((m for _, m in self.answers[begun:] if condition(m)), None)  # noqa: E731
        return wait_until(found, f"a recognition like that; the last is {self.answers[-1:]}")

    def live_now(self) -> frozenset[str]:
        return frozenset(names(self.shares[-1][1])) if self.shares else frozenset()

    def report(self, name: str, condition: Callable[[dict[str, str]], bool] = bool) -> dict[str, str]:
        """The first diagnostics values of `name` (with `message` and `level`) that are as wanted, from the
        newest there are now."""
        known = [index for index, (said_of, _) in enumerate(self.reports) if said_of == name]
        newest = known[-1] if known else len(self.reports)

        def found() -> dict[str, str] | None:
            since = [values for said_of, values in self.reports[newest:] if said_of == name]
            return next((values for values in since if wanted(values)), None)

        def wanted(values: dict[str, str]) -> bool:
            try:
                return condition(values)
            except KeyError:  # a node tells more once it is active
                return False

        try:
            return wait_until(found, f"diagnostics of {name} like that")
        except pytest.fail.Exception:
            print(f"told was: {[values for said_of, values in self.reports if said_of == name][-3:]}")
            raise

    def says(self, name: str, text: str) -> dict[str, str]:
        """The same, once `text` is in the message."""
        return self.report(name, lambda values: text in values["message"])

    def _on_reports(self, message: DiagnosticArray) -> None:
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            values |= {"message": status.message, "level": str(ord(status.level))}
            self.reports.append((status.name, values))


class Robot:
    """A fusion process, and whatever a test adds to it.

    Args:
        fusion: parameters of the fusion node.
        sim_time: no node has a time before somebody tells it on /clock.
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
        self.namespace = namespace
        self._sim_time = sim_time
        self._session = ros_node("test", namespace)
        self.node = self._session.__enter__()
        self.witness = Witness(self.node)
        self._clients: dict[tuple[type, str], Any] = {}
        self._made: list[NodeProcess | Driver] = []
        self._subscriptions: list[Subscription] = []
        self.fusion = None if launched else self.process("fusion_node", {"bundle": bundle, **(fusion or {})})

    def __enter__(self) -> Robot:
        return self

    def __exit__(self, *_: object) -> None:
        self.tidy()
        if self.fusion:
            self.fusion.end()
        self._session.__exit__(None, None, None)

    def tidy(self) -> None:
        """End what the present test has made."""
        for made in self._made:
            made.end()
        self._made.clear()
        while self._subscriptions:
            self.node.destroy_subscription(self._subscriptions.pop())

    # What can be added

    def encoder(self, sensor: str, modality: str = "image", **parameters: Any) -> NodeProcess:
        """Start the encoder process of a sensor; its driver's topic is `<sensor>/raw`."""
        own = {"sensor": sensor, "modality": modality, "topic": f"{sensor}/raw", "bundle": self.bundle}
        return self.add(self.process("encoder_node", {**own, **parameters}))

    def driver(self, sensor: str, message_class: type, make: Callable[[int], Any], **options: Any) -> Driver:
        return self.add(Driver(self.node, f"{sensor}/raw", message_class, make, **options))

    def camera(self, sensor: str, label: int, **options: Any) -> Driver:
        """A driver that shows `label` at 20 Hz."""
        rng = np.random.default_rng(label)
        make = lambda stamp: as_cdr(image_message(picture(label, rng), stamp, "camera_frame"))  # noqa: E731
        return self.driver(sensor, Image, make, **options)

    def embeddings(
        self, sensor: str, qos: QoSProfile | None = None, message_class: type = PointCloud2
    ) -> Any:
        """A publisher in place of a sensor's encoder."""
        return self.node.create_publisher(
            message_class, f"omnibind/{sensor}/embedding", qos or embedding_qos()
        )

    def add(self, made: Any) -> Any:
        """What `tidy` is to end, too."""
        self._made.append(made)
        return made

    def process(self, executable: str, parameters: Mapping[str, Any]) -> NodeProcess:
        """A node of this robot; `None` stands for a parameter that is not given."""
        given = {**parameters, "use_sim_time": self._sim_time or None}
        words = [f"{name}:={_yaml(value)}" for name, value in given.items() if value is not None]
        options = [word for setting in words for word in ("-p", setting)]
        namespace = ["-r", f"__ns:=/{self.namespace}"] if self.namespace else []
        command = run_main(f"omnibind_ros.transport.ros.{executable}", "--ros-args", *namespace, *options)
        return NodeProcess(str(parameters.get("sensor", executable)), command)

    # What it tells

    def hear(self, topic: str, message_class: type, qos: QoSProfile = _DEEP) -> list[Any]:
        """All messages of a topic from now on."""
        heard: list[Any] = []
        self._subscriptions.append(self.node.create_subscription(message_class, topic, heard.append, qos))
        return heard

    def offered(self, topic: str) -> list[QoSProfile]:
        """As `ros2 topic info --verbose`: the quality of service of each publisher."""
        topic = self.node.resolve_topic_name(topic)
        return [publisher.qos_profile for publisher in self.node.get_publishers_info_by_topic(topic)]

    def status_name(self, node: str, subject: str) -> str:
        """What a status of a node is called in diagnostics."""
        return "/".join(part for part in (self.namespace, f"{node}: {subject}") if part)

    def wait_for_encoder(self, sensor: str) -> None:
        """Until the encoder has joined the graph and is known to fusion, and its driver can be heard."""
        self.fusion_says(sensor, lambda values: values["encoders"] == "1")

    def fusion_says(self, sensor: str, condition: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        return self.witness.report(self.status_name("fusion", sensor), condition)

    def encoder_says(self, sensor: str, condition: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        return self.witness.report(self.status_name(f"encoder_{sensor}", sensor), condition)

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
        request = SetParameters.Request(parameters=[Parameter(name=name, value=get_parameter_value(text))])
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


def names(message: Classification) -> list[str]:
    """The `class_id` of all results."""
    return [result.class_id for result in message.results]


_TRANSITIONS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
    "shutdown": Transition.TRANSITION_ACTIVE_SHUTDOWN,
}


def _keep(heard: list[tuple[float, Any]]) -> Callable[[Any], None]:
    return lambda message: heard.append((time.monotonic(), message))


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
