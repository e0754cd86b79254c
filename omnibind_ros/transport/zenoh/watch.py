"""Looks at a robot through a node's subscriptions."""

from __future__ import annotations

from omnibind_ros.messages.topics import CONTRIBUTIONS, DIAGNOSTICS, RECOGNITION
from omnibind_ros.monitor.robot_view import Watch
from omnibind_ros.transport.zenoh import qos
from omnibind_ros.transport.zenoh.node import Node


def watch(node: Node) -> Watch:
    """A view of the robot in the node's namespace; the node owns the subscriptions."""
    view = Watch(node.namespace)
    classification, answer = "vision_msgs/msg/Classification", qos.Qos(depth=1)
    node.subscribe(RECOGNITION, classification, lambda m, _: view.on_recognition(m), qos=answer)
    node.subscribe(CONTRIBUTIONS, classification, lambda m, _: view.on_contributions(m), qos=answer)
    node.subscribe(
        DIAGNOSTICS,
        "diagnostic_msgs/msg/DiagnosticArray",
        lambda m, _: view.on_diagnostics(m),
        qos=qos.DIAGNOSTICS,
        keep="all",
    )
    return view
