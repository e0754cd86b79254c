"""Sensors join, fail and leave while recognition continues: the script of `omnibind demo` with ROS 2 nodes.

ros2 launch omnibind_ros demo.launch.py
ros2 launch omnibind_ros demo.launch.py label:=3 root:=/path/to/recordings

Drivers, encoders and fusion are nodes in a domain of their own. It ends with a timeline and a verdict.
"""

from __future__ import annotations

from typing import Any

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess, OpaqueFunction, Shutdown
from launch.events.process import ProcessExited
from launch_ros.substitutions import ExecutableInPackage

from omnibind_ros.config.resources import PACKAGE
from omnibind_ros.transport.ros.launching import given

ARGUMENTS = (
    DeclareLaunchArgument("label", default_value="5", description="Label of the shown samples."),
    DeclareLaunchArgument(
        "root", default_value="", description="Folder of recordings to play. Empty: simulated sensors."
    ),
    DeclareLaunchArgument(
        "bundle",
        default_value="digits",
        description="Name of an installed bundle, or the path of its folder.",
    ),
    DeclareLaunchArgument("seed", default_value="0", description="Seed of the choice of samples."),
    DeclareLaunchArgument(
        "duration_scale", default_value="1.0", description="Duration of each step in units of 2 seconds."
    ),
    DeclareLaunchArgument("json", default_value="", description="Also write the timeline to this file."),
)


def generate_launch_description() -> LaunchDescription:
    """Read by `ros2 launch`."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=_demo)])


def _demo(context: LaunchContext) -> list[Any]:
    options = {a.name.replace("_", "-"): given(context, a.name) for a in ARGUMENTS}
    words = [word for name, value in options.items() if value for word in (f"--{name}", value)]
    return [
        ExecuteProcess(
            name="demo",
            cmd=[ExecutableInPackage("omnibind", PACKAGE), "demo", "--ros", "--plain", *words],
            output="screen",
            on_exit=_end,
        )
    ]


def _end(event: ProcessExited, context: LaunchContext) -> Shutdown:
    """Raises so that `ros2 launch` returns 1, too, if the demo fails."""
    if event.returncode:
        raise RuntimeError(f"the demo ended with status {event.returncode}")
    return Shutdown(reason="the demo is over")
