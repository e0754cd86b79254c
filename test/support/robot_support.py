"""A robot of `omnibind` commands: real fusion and encoder processes over Zenoh."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import robot
from transport_support import GENEROUS_S

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

    def end(self) -> None:
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


class Robot(robot.Robot):
    """A fusion process, and whatever a test adds to it."""

    def __init__(self, bundle: Path, router_port: int) -> None:
        self.node = Node("test", domain=DOMAIN, network=Network(router=f"tcp/127.0.0.1:{router_port}"))
        super().__init__(self.node)
        self.bundle = bundle
        self.router_port = router_port
        self.fusion = self.command("fusion", "--bundle", bundle)

    def command(self, *arguments: object) -> Command:
        return Command(*arguments, router_port=self.router_port)

    def encoder(self, sensor: str, *options: object, modality: str = "image", topic: str = "") -> Command:
        """Start the encoder process of a sensor; its driver's topic is `<sensor>/raw`."""
        options = ("--topic", topic or f"{sensor}/raw", "--bundle", self.bundle, *options)
        return self.add(self.command("encoder", "--sensor", sensor, "--modality", modality, *options))

    def close(self) -> None:
        self.tidy()
        self.fusion.end()
        self.node.close()
