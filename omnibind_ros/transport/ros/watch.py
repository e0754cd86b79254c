"""Looks at a robot through a node's subscriptions."""

from __future__ import annotations

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from vision_msgs.msg import Classification

from omnibind_ros.messages.topics import CONTRIBUTIONS, DIAGNOSTICS, RECOGNITION
from omnibind_ros.monitor.robot_view import Watch


def watch(node: Node) -> Watch:
    """A view of the robot in the node's namespace; the node owns the subscriptions."""
    view = Watch(node.get_namespace())
    node.create_subscription(Classification, RECOGNITION, view.on_recognition, QoSProfile(depth=1))
    node.create_subscription(Classification, CONTRIBUTIONS, view.on_contributions, QoSProfile(depth=1))
    node.create_subscription(DiagnosticArray, DIAGNOSTICS, view.on_diagnostics, QoSProfile(depth=100))
    return view
