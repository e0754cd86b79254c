"""ROS 2: a node as a transport, and what is ROS's own: lifecycle, parameters, launch, QoS events, signals.

`rclpy` is imported in this folder and nowhere else. Written for Humble (Python 3.10) and Jazzy (3.12).
"""
