"""A robot for tests: real fusion and encoder processes, drivers to be mistreated, and a witness of it all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tiny_bundle import picture
from transport_support import GENEROUS_S, wait_until

from omnibind_ros.modalities.image.messages import image_message
from omnibind_ros.transport.qos import DIAGNOSTICS, SENSOR_DATA, Qos
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.session import Network

ROOT = Path(__file__).parents[2]
DOMAIN = 42


class Command:
    """`omnibind ...` as a process; what it prints is kept."""

    def __init__(self, *arguments: object, router_port: int) -> None:
        environment = {
            **os.environ,
            "OMNIBIND_ROUTER": f"tcp/127.0.0.1:{router_port}",
            "ROS_DOMAIN_ID": str(DOMAIN),
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "OMP_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "omnibind_ros.cli.main", *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def send(self, number: int) -> float:
        """Send a signal; when, on the steady clock."""
        sent = time.monotonic()
        self.process.send_signal(number)
        return sent

    def ended(self) -> tuple[int, str]:
        """Exit status and output."""
        output, _ = self.process.communicate(timeout=GENEROUS_S)
        return self.process.returncode, output

    def kill(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def resident_mb(self) -> float:
        """The most it ever had in memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def maps(self) -> str:
        """The files it has mapped, shared libraries among them."""
        return Path(f"/proc/{self.process.pid}/maps").read_text()


class Witness:
    """Hears what fusion says, and when (steady clock)."""

    def __init__(self, node: Node) -> None:
        self._lock = threading.Lock()
        self._answers: list[tuple[float, int, str | None]] = []
        self._shares: list[tuple[float, int, frozenset[str]]] = []
        self._reports: dict[str, dict[str, str]] = {}
        classification = "vision_msgs/msg/Classification"
        for topic, take in (("recognition", self._on_answer), ("contributions", self._on_shares)):
            node.subscribe(f"omnibind/{topic}", classification, take, qos=Qos(), keep="all")
        node.subscribe(
            "/diagnostics",
            "diagnostic_msgs/msg/DiagnosticArray",
            self._on_reports,
            qos=DIAGNOSTICS,
            keep="all",
        )

    def until(self, sensor: str, live: bool, since: float) -> float:
        """When fusion first spoke with (or without) a sensor after `since`; seconds since then."""

        def first() -> float | None:
            with self._lock:
                return next(
                    (at for at, _, sensors in self._shares if at > since and (sensor in sensors) == live),
                    None,
                )

        return wait_until(first, f"{sensor} {'in' if live else 'out of'} the answer") - since

    def answer_from(self, sensor: str) -> str | None:
        """The newest answer that the sensor has a share in."""
        with self._lock:
            stamps = {stamp for _, stamp, sensors in self._shares if sensor in sensors}
            return next((answer for _, stamp, answer in reversed(self._answers) if stamp in stamps), None)

    def answers(self, since: float) -> list[str | None]:
        with self._lock:
            return [answer for at, _, answer in self._answers if at > since]

    def live_now(self) -> frozenset[str]:
        with self._lock:
            return self._shares[-1][2] if self._shares else frozenset()

    def report(self, name: str, condition: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """The diagnostics values of `name` (with `message` and `level`) once they are as wanted."""

        def found() -> dict[str, str] | None:
            with self._lock:
                values = self._reports.get(name)
            return values if values and condition(values) else None

        result: dict[str, str] = wait_until(found, f"diagnostics of {name}, now {self._reports.get(name)}")
        return result

    def _on_answer(self, message: Any, info: object) -> None:
        with self._lock:
            best = message.results[0].class_id if message.results else None
            self._answers.append((time.monotonic(), _stamp(message), best))

    def _on_shares(self, message: Any, info: object) -> None:
        with self._lock:
            sensors = frozenset(result.class_id for result in message.results)
            self._shares.append((time.monotonic(), _stamp(message), sensors))

    def _on_reports(self, message: Any, info: object) -> None:
        with self._lock:
            for status in message.status:
                values = {pair.key: pair.value for pair in status.values}
                values |= {"message": status.message, "level": str(status.level)}
                self._reports[status.name] = values


class Driver:
    """A driver that calls `make(stamp)` every `period_s` and publishes the message; it can hang and end."""

    def __init__(
        self, node: Node, topic: str, type_name: str, make: Callable[[int], Any], period_s: float = 0.05
    ) -> None:
        self.publisher = node.publisher(topic, type_name, SENSOR_DATA)
        self.hangs = threading.Event()
        self.first_published = 0.0
        self._make = make
        self._period_s = period_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> float:
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
            self.publisher.publish(self._make(time.time_ns()))
            self.first_published = self.first_published or time.monotonic()


class Robot:
    """A fusion process, and whatever a test adds to it. Sensors of different tests have different names."""

    def __init__(self, bundle: Path, router_port: int) -> None:
        self.bundle = bundle
        self.router_port = router_port
        self.node = Node("test", domain=DOMAIN, network=Network(router=f"tcp/127.0.0.1:{router_port}"))
        self.witness = Witness(self.node)
        self.fusion = self.command("fusion", "--bundle", bundle)
        self._made: list[Command | Driver] = [self.fusion]

    def command(self, *arguments: object) -> Command:
        return Command(*arguments, router_port=self.router_port)

    def encoder(self, sensor: str, *options: object, modality: str = "image", topic: str = "") -> Command:
        """Start the encoder process of a sensor; its driver's topic is `<sensor>/raw`."""
        options = ("--topic", topic or f"{sensor}/raw", "--bundle", self.bundle, *options)
        process = self.command("encoder", "--sensor", sensor, "--modality", modality, *options)
        self._made.append(process)
        return process

    def driver(
        self, sensor: str, type_name: str, make: Callable[[int], Any], period_s: float = 0.05
    ) -> Driver:
        driver = Driver(self.node, f"{sensor}/raw", type_name, make, period_s)
        self._made.append(driver)
        return driver

    def camera(self, sensor: str, label: int) -> Driver:
        """A driver that shows `label` at 20 Hz."""
        rng = np.random.default_rng(label)
        make = lambda stamp: image_message(picture(label, rng), stamp, "camera_frame")  # noqa: E731
        return self.driver(sensor, "sensor_msgs/msg/Image", make)

    def wait_for_encoder(self, sensor: str) -> None:
        """Until the encoder has joined the graph and is known to fusion."""
        self.witness.report(f"fusion: {sensor}", lambda values: values["encoders"] == "1")

    def tidy(self) -> None:
        """End what the present test has made."""
        for made in self._made[1:]:
            made.kill() if isinstance(made, Command) else made.close()
        del self._made[1:]

    def close(self) -> None:
        self.tidy()
        self.fusion.kill()
        self.node.close()


def _stamp(message: Any) -> int:
    return int(message.header.stamp.sec) * 10**9 + int(message.header.stamp.nanosec)
