"""What `omnibind encoder` and `omnibind fusion` import and set up first, for the fork server."""

import omnibind_ros.cli.encoder
import omnibind_ros.cli.fusion
import omnibind_ros.cli.main
import omnibind_ros.engines.onnxruntime  # noqa: F401
from omnibind_ros.messages.cdr import prepare

for type_name in (
    "diagnostic_msgs/msg/DiagnosticArray",
    "sensor_msgs/msg/PointCloud2",
    "std_msgs/msg/Header",
    "vision_msgs/msg/Classification",
    "vision_msgs/msg/LabelInfo",
):
    prepare(type_name)
