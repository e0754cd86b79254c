"""A robot for tests, over any transport: drivers that hang and end, and a witness of what is published."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest
from tiny_bundle import picture
from transport_support import wait_until

from omnibind_ros.messages.stamps import stamp_of
from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.transport.protocol import Subscription, Transport, subscribe
from omnibind_ros.transport.qos import EMBEDDING, SENSOR_DATA, Qos

CLOUD, IMAGE = "sensor_msgs/msg/PointCloud2", "sensor_msgs/msg/Image"
M = TypeVar("M")
DEEP = Qos(depth=1000)
DEEP_LATCHED = Qos(durability="transient_local", depth=1000)


class Driver:
    """A driver that publishes `make(stamp)` every `period_s`; it can hang and end."""

    def __init__(
        self,
        transport: Transport,
        topic: str,
        type_name: str,
        make: Callable[[int], Any],
        period_s: float = 0.05,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.publisher = transport.publisher(topic, type_name, SENSOR_DATA)
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
        self._stop.set()
        self._thread.join()
        left = time.monotonic()
        self.publisher.close()
        return left

    def _run(self) -> None:
        while not self._stop.wait(self._period_s):
            if self.hangs.is_set():
                continue
            self.publisher.publish(self._make(self._clock()))
            self.first_published = self.first_published or time.monotonic()


class Witness:
    """Keeps what a robot publishes, with the time of receipt (steady clock)."""

    def __init__(self, transport: Transport) -> None:
        self.answers: list[tuple[float, Any]] = []
        self.shares: list[tuple[float, Any]] = []
        self.reports: list[tuple[str, dict[str, str]]] = []
        """names and values (with `message` and `level`) of all diagnostics so far"""
        for topic, kept in (("recognition", self.answers), ("contributions", self.shares)):
            subscribe(transport, f"omnibind/{topic}", "vision_msgs/msg/Classification", _keep(kept), DEEP)
        subscribe(transport, "/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", self._on_reports, DEEP)

    def until(self, sensor: str, live: bool, since: float = 0.0) -> float:
        """Seconds from `since` to the first recognition after it with (or without) a sensor."""

        def first() -> float | None:
            shares = list(self.shares)
            return next((at for at, each in shares if at > since and (sensor in names(each)) == live), None)

        at: float = wait_until(first, f"{sensor} {'in' if live else 'out of'} the answer")
        return at - since

    def answer_from(self, sensor: str) -> str | None:
        """The newest answer that the sensor has a share in."""
        stamps = {stamp_of(each) for _, each in list(self.shares) if sensor in names(each)}
        answers = reversed(list(self.answers))
        return next(
            (names(each)[0] for _, each in answers if stamp_of(each) in stamps and each.results), None
        )

    def until_answer(self, sensor: str, answer: str) -> None:
        """Until that is the answer that the sensor has a share in."""
        wait_until(lambda: self.answer_from(sensor) == answer, f"{sensor} sees {answer!r}")

    def next_answer(self, condition: Callable[[Any], bool] = bool) -> Any:
        """The first recognition from now on that is as wanted."""
        begun = len(self.answers)
        found = lambda: next((m for _, m in self.answers[begun:] if condition(m)), None)  # noqa: E731
        return wait_until(found, f"a recognition like that; the last is {self.answers[-1:]}")

    def live_now(self) -> frozenset[str]:
        return frozenset(names(self.shares[-1][1])) if self.shares else frozenset()

    def report(self, name: str, condition: Callable[[dict[str, str]], bool] = bool) -> dict[str, str]:
        """The first diagnostics values of `name` (with `message` and `level`) that are as wanted, from the
        newest there are now."""
        known = [index for index, (reported, _) in enumerate(self.reports) if reported == name]
        newest = known[-1] if known else len(self.reports)

        def found() -> dict[str, str] | None:
            since = [values for reported, values in self.reports[newest:] if reported == name]
            return next((values for values in since if wanted(values)), None)

        def wanted(values: dict[str, str]) -> bool:
            try:
                return condition(values)
            except KeyError:  # a node reports more once it is active
                return False

        try:
            values: dict[str, str] = wait_until(found, f"diagnostics of {name} like that")
        except pytest.fail.Exception:
            print(f"reported was: {[values for reported, values in self.reports if reported == name][-3:]}")
            raise
        return values

    def reports_text(self, name: str, text: str) -> dict[str, str]:
        """The same, once `text` is in the message."""
        return self.report(name, lambda values: text in values["message"])

    def _on_reports(self, message: Any) -> None:
        for status in message.status:
            values = {pair.key: pair.value for pair in status.values}
            values |= {"message": status.message, "level": str(status.level)}
            self.reports.append((status.name, values))


class Robot:
    """What the tests of a robot need; how its fusion and encoders are run is added by others.

    Sensors of different tests have different names.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.witness = Witness(transport)
        self._made: list[Any] = []
        self._subscriptions: list[Subscription] = []

    def add(self, made: M) -> M:
        """What `tidy` is to end, too."""
        self._made.append(made)
        return made

    def tidy(self) -> None:
        """End what the present test has made."""
        for made in self._made:
            made.end()
        self._made.clear()
        while self._subscriptions:
            self._subscriptions.pop().close()

    def driver(self, sensor: str, type_name: str, make: Callable[[int], Any], **options: Any) -> Driver:
        return self.add(Driver(self.transport, f"{sensor}/raw", type_name, make, **options))

    def camera(self, sensor: str, label: int, **options: Any) -> Driver:
        """A driver that shows `label` at 20 Hz."""
        rng = np.random.default_rng(label)
        make = lambda stamp: image_message(picture(label, rng), stamp, "camera_frame")  # noqa: E731
        return self.driver(sensor, IMAGE, make, **options)

    def embeddings(self, sensor: str, qos: Qos = EMBEDDING, type_name: str = CLOUD) -> Any:
        """A publisher in place of a sensor's encoder."""
        return self.transport.publisher(f"omnibind/{sensor}/embedding", type_name, qos)

    def hear(self, topic: str, type_name: str, qos: Qos = DEEP) -> list[Any]:
        """All messages of a topic from now on."""
        heard: list[Any] = []
        self._subscriptions.append(subscribe(self.transport, topic, type_name, heard.append, qos))
        return heard

    def status_name(self, node: str, subject: str) -> str:
        """The name of a node's status in diagnostics."""
        return "/".join(part for part in (self.transport.namespace.strip("/"), f"{node}: {subject}") if part)

    def wait_for_encoder(self, sensor: str) -> None:
        """Until the encoder has joined the graph and is known to fusion."""
        self.fusion_reports(sensor, lambda values: values["encoders"] == "1")

    def fusion_reports(self, sensor: str, condition: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        return self.witness.report(self.status_name("fusion", sensor), condition)

    def encoder_reports(self, sensor: str, condition: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        return self.witness.report(self.status_name(f"encoder_{sensor}", sensor), condition)


def names(message: Any) -> list[str]:
    """The `class_id` of all results."""
    return [result.class_id for result in message.results]


def _keep(kept: list[tuple[float, Any]]) -> Callable[[Any], None]:
    return lambda message: kept.append((time.monotonic(), message))
