"""One more sensor for a running robot: its encoder. Fusion needs not be told.

ros2 launch omnibind_ros sensor.launch.py sensor:=wrist modality:=touch topic:=/digit/image_raw
"""

from __future__ import annotations

from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from omnibind_ros.config.parameters import from_parameters
from omnibind_ros.config.settings import EncoderSettings
from omnibind_ros.transport.ros.launching import COMMON_ARGUMENTS, encoder_action, given

SETTINGS = (
    DeclareLaunchArgument(
        "sensor", description="Its name, of lower-case letters, digits and '_'; no other sensor may have it."
    ),
    DeclareLaunchArgument(
        "modality",
        description="Its kind of signal: image, text, audio, event, touch, thermal, point_cloud, or one that "
        "the bundle brings.",
    ),
    DeclareLaunchArgument(
        "topic", description="Where its driver publishes; under the namespace unless it starts with '/'."
    ),
    DeclareLaunchArgument(
        "message_type",
        default_value="auto",
        description="E.g. sensor_msgs/msg/CompressedImage; auto takes whatever readable type is published.",
    ),
    DeclareLaunchArgument(
        "bundle",
        default_value="digits",
        description="That of the running fusion: the name of an installed bundle, or the path of its folder.",
    ),
    DeclareLaunchArgument(
        "backend",
        default_value="auto",
        choices=["auto", "onnxruntime", "tensorrt"],
        description="What runs the encoder; auto is the fastest that works here.",
    ),
    DeclareLaunchArgument(
        "frame_id",
        default_value="",
        description="Coordinate frame of its embeddings. Empty: that of the driver's messages.",
    ),
)
NAMESPACE = DeclareLaunchArgument(
    "namespace", default_value="", description="That of the running robot, e.g. robot1."
)


def generate_launch_description() -> LaunchDescription:
    """Read by `ros2 launch`."""
    return LaunchDescription([*SETTINGS, NAMESPACE, *COMMON_ARGUMENTS, OpaqueFunction(function=_sensor)])


def _sensor(context: LaunchContext) -> list[Any]:
    settings = from_parameters(EncoderSettings, {s.name: given(context, s.name) for s in SETTINGS})
    return [encoder_action(context, settings, given(context, "namespace"))]
