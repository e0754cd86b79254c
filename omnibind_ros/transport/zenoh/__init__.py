"""ROS 2 topics without ROS 2: nodes over Eclipse Zenoh, in the wire format of `rmw_zenoh`.

with Node("planner") as node:
    node.subscribe("omnibind/recognition", "vision_msgs/msg/Classification", on_recognition, qos=Qos(depth=1))
"""

from omnibind_ros.transport.qos import Qos
from omnibind_ros.transport.zenoh.node import Node

__all__ = ["Node", "Qos"]
