"""The processes of the conformance tests: `graph_actor.py <middleware> <role> ...`; JSON on stdout."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import AbstractContextManager

import numpy as np

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.embedding_cloud import encode_embedding
from omnibind_ros.messages.topics import embedding_topic
from omnibind_ros.process.signals import stop_on_signals
from omnibind_ros.transport.protocol import Transport
from omnibind_ros.transport.qos import EMBEDDING, LATCHED, SENSOR_DATA, Qos
from omnibind_ros.types import Embedding

STRING, CLOUD = "std_msgs/msg/String", "sensor_msgs/msg/PointCloud2"
QOS = {"latched": LATCHED, "embedding": EMBEDDING, "sensor": SENSOR_DATA, "reliable": Qos(depth=100)}


def node(middleware: str, name: str) -> AbstractContextManager[Transport]:
    if middleware == "zenoh":
        from omnibind_ros.transport.zenoh.node import Node

        return Node(name)
    from omnibind_ros.transport.ros.session import ros_transport

    return ros_transport(name)


def publish(middleware: str, topic: str, qos: str, text: str) -> None:
    """Publish a string every 20 ms until told to stop."""
    with stop_on_signals() as stop, node(middleware, "actor") as transport:
        publisher = transport.publisher(topic, STRING, QOS[qos])
        print(json.dumps(os.getpid()), flush=True)
        while not stop.wait(0.02):
            publisher.publish(message_class(STRING)(data=text))


def embed(middleware: str, sensor: str, space: str, axis: str) -> None:
    """Publish embeddings along an axis, 20 a second, until told to stop."""
    rng = np.random.default_rng(0)
    with stop_on_signals() as stop, node(middleware, f"encoder_{sensor}") as transport:
        publisher = transport.publisher(embedding_topic(sensor), CLOUD, EMBEDDING)
        print(json.dumps(os.getpid()), flush=True)
        while not stop.wait(0.05):
            vector = np.eye(8)[int(axis)] + 0.01 * rng.standard_normal(8)
            unit = (vector / np.linalg.norm(vector)).astype(np.float32)
            publisher.publish(encode_embedding(Embedding(sensor, "image", unit, time.time_ns(), int(space))))


if __name__ == "__main__":
    globals()[sys.argv[2]](sys.argv[1], *sys.argv[3:])
