"""`omnibind play` as a process."""

from __future__ import annotations

from typing import Any

from robot_support import Command
from transport_support import wait_until

from omnibind_ros.transport.qos import SENSOR_DATA
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.session import Network


def test_the_command_plays_simulated_samples(router_port: int) -> None:
    heard: list[Any] = []
    what = ("--simulated", "--label", 3, "--modality", "image")
    with Node("test", network=Network(router=f"tcp/127.0.0.1:{router_port}")) as node:
        node.subscribe("cam", "sensor_msgs/msg/Image", lambda image, _: heard.append(image), qos=SENSOR_DATA)
        played = Command("play", "digits", *what, "--topic", "cam", "--once", router_port=router_port)
        assert played.ended() == (0, "")
        assert wait_until(lambda: heard, "the picture")[0].encoding == "rgb8"
