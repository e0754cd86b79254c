"""The robot's processes with ROS 2: `rclpy` around the same rooms that `standalone` drives over Zenoh.

`rclpy` is imported in this room and nowhere else.
"""
