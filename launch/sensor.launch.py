"""One more sensor for a running robot: its encoder. Fusion discovers it.

ros2 launch omnibind_ros sensor.launch.py sensor:=wrist modality:=touch topic:=/digit/image_raw
"""

from __future__ import annotations

from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from omnibind_ros.config.parameters import from_parameters
from omnibind_ros.config.settings import EncoderSettings
from omnibind_ros.transport.ros.launching import COMMON_ARGUMENTS, encoder_action, given, warn_of_discovery

SETTINGS = (
    DeclareLaunchArgument("sensor", description="Unique name of lower-case letters, digits and '_'."),
    DeclareLaunchArgument(
        "modality",
        description="One of image, text, audio, event, touch, thermal, point_cloud, or one that the bundle "
        "defines.",
    ),
    DeclareLaunchArgument(
        "topic", description="Topic of its driver, relative to the namespace unless it starts with '/'."
    ),
    DeclareLaunchArgument(
        "message_type",
        default_value="auto",
        description="E.g. sensor_msgs/msg/CompressedImage; auto is any supported type that is published.",
    ),
    DeclareLaunchArgument(
        "bundle",
        default_value="digits",
        description="Bundle of the running fusion: name of an installed bundle, or the path of its folder.",
    ),
    DeclareLaunchArgument(
        "backend",
        default_value="auto",
        choices=["auto", "onnxruntime", "tensorrt"],
        description="Inference backend; auto is the fastest one available.",
    ),
    DeclareLaunchArgument(
        "frame_id",
        default_value="",
        description="Coordinate frame of its embeddings. Empty: that of the messages.",
    ),
)
NAMESPACE = DeclareLaunchArgument(
    "namespace", default_value="", description="Namespace of the running robot, e.g. robot1."
)


def generate_launch_description() -> LaunchDescription:
    """Read by `ros2 launch`."""
    return LaunchDescription([*SETTINGS, NAMESPACE, *COMMON_ARGUMENTS, OpaqueFunction(function=_sensor)])


def _sensor(context: LaunchContext) -> list[Any]:
    settings = from_parameters(EncoderSettings, {s.name: given(context, s.name) for s in SETTINGS})
    warn_of_discovery()
    return [encoder_action(context, settings, given(context, "namespace"))]
