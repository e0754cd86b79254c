"""What the processes of the transport tests do: `transport_actor.py <role> ...`; JSON values on stdout."""

from __future__ import annotations

import json
import os
import sys
import threading

import numpy as np

from omnibind_ros.errors import TransportError
from omnibind_ros.messages.cdr import message_class
from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.transport.qos import EMBEDDING, LATCHED, SENSOR_DATA, Qos
from omnibind_ros.transport.zenoh.node import Node

STRING = "std_msgs/msg/String"
IMAGE = "sensor_msgs/msg/Image"
CLOUD = "sensor_msgs/msg/PointCloud2"


def say(value: object) -> None:
    print(json.dumps(value), flush=True)


def header(stamp_ns: int, frame_id: str) -> object:
    stamp = message_class("builtin_interfaces/msg/Time")(sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
    return message_class("std_msgs/msg/Header")(stamp=stamp, frame_id=frame_id)


def image() -> object:
    """A 640 x 480 rgb8 image with known pixels."""
    pixels = np.arange(640 * 480 * 3, dtype=np.uint32).astype(np.uint8)
    return message_class(IMAGE)(
        header=header(1_700_000_000_123_456_789, "camera"),
        height=480,
        width=640,
        encoding="rgb8",
        is_bigendian=0,
        step=1920,
        data=pixels,
    )


def embedding() -> object:
    """A PointCloud2 of one 384-dimensional point."""
    field = message_class("sensor_msgs/msg/PointField")(name="image", offset=0, datatype=7, count=384)
    return message_class(CLOUD)(
        header=header(1_700_000_000_000_000_001, "camera"),
        height=1,
        width=1,
        fields=[field],
        is_bigendian=False,
        point_step=1536,
        row_step=1536,
        data=np.linspace(0, 1, 384, dtype="<f4").view(np.uint8),
        is_dense=True,
    )


def camera() -> None:
    """Publish the image and the embedding until told to stop."""
    with stop_on_signals() as stop, Node("encoder_camera", "/robot") as node:
        images = node.publisher("camera/image_raw", IMAGE, SENSOR_DATA)
        embeddings = node.publisher("omnibind/camera/embedding", CLOUD, EMBEDDING)
        say("ready")
        while not stop.wait(0.05):
            images.publish(image())
            embeddings.publish(embedding())


def latch(text: str) -> None:
    """Publish one latched string, before anybody listens, and stay."""
    with stop_on_signals() as stop, Node("latch") as node:
        node.publisher("text", STRING, LATCHED).publish(message_class(STRING)(data=text))
        say("ready")
        stop.wait()


def talk(topic: str) -> None:
    """Publish "1", "2", ... every 20 ms once somebody listens."""
    with stop_on_signals() as stop, Node("talker") as node:
        publisher = node.publisher(topic, STRING, Qos(depth=10))
        say({"holds_router": node.holds_router})
        publisher.wait_for_subscriber(10.0)
        number = 0
        while not stop.wait(0.02):
            number += 1
            publisher.publish(message_class(STRING)(data=str(number)))


def hold() -> None:
    """Be there, and tell whether this process holds the hub."""
    with stop_on_signals() as stop, Node("holder") as node:
        say({"holds_router": node.holds_router})
        stop.wait()


def meet(own: str, everybody: str) -> None:
    """Publish on /meet/<own>/here; tell once all of `everybody` (a,b,c) publish and once each was heard."""
    missing, unheard = set(everybody.split(",")), set(everybody.split(","))
    found, heard = threading.Event(), threading.Event()

    def on_offers(topic: str, offers: object, alive: int) -> None:
        missing.discard(topic.split("/")[2])
        if not missing:
            found.set()

    def on_message(message: object, info: object) -> None:
        unheard.discard(message.data)
        if not unheard:
            heard.set()

    with stop_on_signals() as stop, Node(f"guest_{own}") as node:
        publisher = node.publisher(f"/meet/{own}/here", STRING, LATCHED)
        for other in everybody.split(","):
            node.subscribe(f"/meet/{other}/here", STRING, on_message, qos=LATCHED)
        node.watch("/meet/*/here", on_offers)
        publisher.publish(message_class(STRING)(data=own))
        say({"found": found.wait(15), "heard": heard.wait(15), "holds_router": node.holds_router})
        stop.wait()


def forked() -> None:
    """Use a node in a forked child, which must refuse instead of hanging."""
    with Node("parent") as node:
        reader, writer = os.pipe()
        if os.fork() == 0:
            try:
                node.publisher("x", STRING, LATCHED)
            except TransportError as error:
                os.write(writer, str(error).encode())
            node.close()
            os._exit(0)
        os.close(writer)
        say(os.read(reader, 1000).decode())
        os.wait()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
