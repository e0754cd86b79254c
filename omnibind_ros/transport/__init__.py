"""How processes exchange messages: one protocol, over Zenoh without ROS 2 and over rclpy with it.

`protocol.py` is what the rest of the package knows of a transport. `zenoh/` holds sessions, discovery and the
election of a router; `ros/` holds what is ROS's own: nodes with a lifecycle, parameters, launch, QoS events.
"""
