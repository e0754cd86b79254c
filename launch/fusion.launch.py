"""The recognition of a robot: fusion, and an encoder for each sensor of the robot file.

ros2 launch omnibind_ros fusion.launch.py
ros2 launch omnibind_ros fusion.launch.py robot_file:=/path/to/robot.yaml namespace:=robot1
"""

from __future__ import annotations

from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, TimerAction

from omnibind_ros.config.resources import find_config
from omnibind_ros.config.robot import load_robot
from omnibind_ros.config.settings import EncoderSettings, FusionSettings
from omnibind_ros.transport.ros.launching import (
    COMMON_ARGUMENTS,
    encoder_action,
    fusion_action,
    given,
    robot_action,
    warn_of_discovery,
)

STAGGER_S = 0.25

ARGUMENTS = (
    DeclareLaunchArgument(
        "robot_file",
        default_value="robot",
        description="Robot file: a path, or the name of a file in the package's config folder. "
        "Sensors in it may be absent.",
    ),
    DeclareLaunchArgument(
        "bundle",
        default_value="",
        description="Name of an installed bundle, or the path of its folder. Empty: as in the robot file.",
    ),
    DeclareLaunchArgument(
        "namespace",
        default_value="",
        description="Prefix of all nodes and relative topics, e.g. robot1. Empty: as in the robot file.",
    ),
    DeclareLaunchArgument(
        "backend",
        default_value="",
        choices=["", "auto", "onnxruntime", "tensorrt"],
        description="Inference backend; auto is the fastest one available. Empty: as in the robot file.",
    ),
    DeclareLaunchArgument(
        "one_process",
        default_value="false",
        choices=["true", "false"],
        description="Run fusion and all encoders in one process: less memory, but a crash ends all of them.",
    ),
    *COMMON_ARGUMENTS,
)


def generate_launch_description() -> LaunchDescription:
    """Read by `ros2 launch`."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_robot)])


def _robot(context: LaunchContext) -> list[Any]:
    warn_of_discovery()
    robot = load_robot(find_config(given(context, "robot_file")))
    if bundle := given(context, "bundle"):
        robot = robot.model_copy(update={"bundle": bundle})
    if backend := given(context, "backend"):
        encoders = robot.encoders.model_copy(update={"backend": backend})
        robot = robot.model_copy(update={"encoders": encoders})
    namespace = given(context, "namespace") or robot.namespace
    if given(context, "one_process") == "true":
        settings = [EncoderSettings.of(robot, name) for name in robot.sensors]
        return [robot_action(context, FusionSettings.of(robot), settings, namespace)]
    encoders = [
        encoder_action(
            context, EncoderSettings.of(robot, name), namespace, sensor.respawn, sensor.respawn_delay_s
        )
        for name, sensor in robot.sensors.items()
    ]
    fusion = fusion_action(context, FusionSettings.of(robot), namespace)
    # Each process takes about a second of CPU time to start; staggered, the first recognition comes sooner.
    staggered = [TimerAction(period=STAGGER_S * n, actions=[e]) for n, e in enumerate(encoders)]
    return [fusion, *staggered]
