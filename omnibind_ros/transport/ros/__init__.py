"""The robot's processes with ROS 2: `rclpy` around the same runtime that `standalone` drives over Zenoh.

`rclpy` is imported in this room and nowhere else. Written for Humble (Python 3.10) and Jazzy (3.12).
"""
