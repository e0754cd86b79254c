"""How the processes of the demo are started, with and without ROS 2, cut off from everything else on the
machine."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Mapping, Sequence
from typing import Protocol

from omnibind_ros.process.child import omnibind, run_main
from omnibind_ros.types import Modality


class Programs(Protocol):
    """A command line for each kind of process, and environment variables for all of them."""

    @property
    def environment(self) -> Mapping[str, str]: ...

    def fusion(self, bundle: str) -> Sequence[str]: ...

    def encoder(self, sensor: str, modality: Modality, topic: str, bundle: str) -> Sequence[str]: ...

    def driver(self, *play: object) -> Sequence[str]:
        """`omnibind play` with these arguments."""


class ZenohPrograms:
    """`omnibind` commands that meet at a router of their own."""

    def __init__(self) -> None:
        self.router = f"tcp/127.0.0.1:{_free_port()}"
        self.domain = 100 + os.getpid() % 100
        self.environment: Mapping[str, str] = {
            "OMNIBIND_CONNECT": "",
            "OMNIBIND_LISTEN": "",
            "OMNIBIND_ZENOH_CONFIG": "",
            "OMNIBIND_ROUTER": self.router,
            "ROS_DOMAIN_ID": str(self.domain),
        }

    def fusion(self, bundle: str) -> Sequence[str]:
        return omnibind("fusion", "--bundle", bundle)

    def encoder(self, sensor: str, modality: Modality, topic: str, bundle: str) -> Sequence[str]:
        device = ("--sensor", sensor, "--modality", modality, "--topic", topic)
        return omnibind("encoder", *device, "--bundle", bundle)

    def driver(self, *play: object) -> Sequence[str]:
        return omnibind("play", *play)


class RosPrograms:
    """ROS 2 nodes in a domain of their own, on this machine only."""

    def __init__(self) -> None:
        self.environment: Mapping[str, str] = ros_on_this_machine(40 + os.getpid() % 60)

    def fusion(self, bundle: str) -> Sequence[str]:
        return _node("fusion_node", {"bundle": bundle})

    def encoder(self, sensor: str, modality: Modality, topic: str, bundle: str) -> Sequence[str]:
        device = {"sensor": sensor, "modality": modality, "topic": topic, "bundle": bundle}
        return _node("encoder_node", device)

    def driver(self, *play: object) -> Sequence[str]:
        return omnibind("play", "--ros", *play)


def ros_on_this_machine(domain: int) -> dict[str, str]:
    """Environment variables that keep ROS 2 processes in a domain, and off the network."""
    environment = {"ROS_DOMAIN_ID": str(domain)}
    if os.environ.get("ROS_DISTRO") == "humble":
        environment["ROS_LOCALHOST_ONLY"] = "1"
        environment["CYCLONEDDS_URI"] = os.environ.get("CYCLONEDDS_URI") or _MANY_PARTICIPANTS
    else:
        environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return environment


# Without multicast, as on loopback, Cyclone DDS of Humble finds ten participants a machine by default.
_MANY_PARTICIPANTS = (
    "<CycloneDDS><Domain><Discovery><MaxAutoParticipantIndex>120</MaxAutoParticipantIndex>"
    "</Discovery></Domain></CycloneDDS>"
)


def _node(executable: str, parameters: Mapping[str, str]) -> Sequence[str]:
    given = [word for name, value in parameters.items() for word in ("-p", f"{name}:={value}")]
    module = "omnibind_ros.transport.ros.executables"
    return run_main(module, executable, "--ros-args", *given, "--log-level", "warn")


def _free_port() -> int:
    """A free port outside the range from which systems hand out ports."""
    while True:
        port = random.SystemRandom().randrange(15000, 30000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
