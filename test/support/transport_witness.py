"""An independent implementation of the protocol (zenoh-ros2-sdk) in a process of its own."""

from __future__ import annotations

import json
import sys
import threading
import time

from zenoh_ros2_sdk.publisher import ROS2Publisher
from zenoh_ros2_sdk.session import ZenohSession
from zenoh_ros2_sdk.subscriber import ROS2Subscriber

DEFINITIONS = {
    "builtin_interfaces/msg/Time": "int32 sec\nuint32 nanosec\n",
    "std_msgs/msg/Header": "builtin_interfaces/Time stamp\nstring frame_id\n",
    "std_msgs/msg/String": "string data\n",
    "vision_msgs/msg/ObjectHypothesis": "string class_id\nfloat64 score\n",
    "vision_msgs/msg/Classification": "std_msgs/Header header\nvision_msgs/ObjectHypothesis[] results\n",
}


def listen(port: str, topic: str, type_hash: str) -> None:
    """Print what arrives on a Classification topic."""
    session = ZenohSession.get_instance("127.0.0.1", int(port))
    for type_name, definition in DEFINITIONS.items():
        session.register_message_type(definition, type_name)

    def on_message(message: object) -> None:
        print(json.dumps([[result.class_id, result.score] for result in message.results]), flush=True)

    type_name = "vision_msgs/msg/Classification"
    subscriber = ROS2Subscriber(
        topic,
        type_name,
        on_message,
        msg_definition=DEFINITIONS[type_name],
        type_hash=type_hash,
        router_port=int(port),
        node_name="witness",
    )
    threading.Event().wait()
    subscriber.close()


def talk(port: str, topic: str) -> None:
    """Publish a string every 50 ms; the type hash is computed by the other implementation."""
    type_name = "std_msgs/msg/String"
    publisher = ROS2Publisher(
        topic, type_name, msg_definition=DEFINITIONS[type_name], router_port=int(port), node_name="witness"
    )
    while True:
        publisher.publish(data="hello from elsewhere")
        time.sleep(0.05)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
