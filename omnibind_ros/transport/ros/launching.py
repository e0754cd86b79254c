"""What the launch files start: the nodes of a robot, told by parameters what its robot file says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from omnibind_ros.config.parameters import to_parameters
from omnibind_ros.config.resources import PACKAGE
from omnibind_ros.config.settings import EncoderSettings, FusionSettings

COMMON_ARGUMENTS = (
    DeclareLaunchArgument(
        "params_file",
        default_value="",
        description="ROS 2 parameters (YAML) for the nodes; they win over the robot file.",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="What the nodes log at least.",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="false",
        choices=["true", "false"],
        description="Take the time from /clock, as when a bag is played with --clock.",
    ),
)
"""Those of every launch file."""


def given(context: LaunchContext, name: str) -> str:
    """The value of a launch argument, "" if it was not given."""
    return str(LaunchConfiguration(name).perform(context))


def fusion_action(context: LaunchContext, settings: FusionSettings, namespace: str) -> Node:
    """The fusion node."""
    return _node(context, "fusion", "fusion_node", namespace, to_parameters(settings), True, 1.0)


def encoder_action(
    context: LaunchContext,
    settings: EncoderSettings,
    namespace: str,
    respawn: bool = True,
    respawn_delay_s: float = 1.0,
) -> Node:
    """The encoder node of a sensor. What it refuses it says and stays; it is respawned when it crashes."""
    name = f"encoder_{settings.sensor}"
    return _node(context, name, "encoder_node", namespace, to_parameters(settings), respawn, respawn_delay_s)


def _node(
    context: LaunchContext,
    name: str,
    executable: str,
    namespace: str,
    parameters: Mapping[str, Any],
    respawn: bool,
    respawn_delay_s: float,
) -> Node:
    params_file = given(context, "params_file")
    typed = {key: _typed(value) for key, value in parameters.items()}
    simulated_time = {"use_sim_time": given(context, "use_sim_time") == "true"}
    return Node(
        package=PACKAGE,
        executable=executable,
        name=name,
        namespace=namespace,
        parameters=[typed, simulated_time, *([params_file] if params_file else [])],
        ros_arguments=["--log-level", f"{name}:={given(context, 'log_level')}"],
        output="screen",
        emulate_tty=True,
        respawn=respawn,
        respawn_delay=respawn_delay_s,
    )


def _typed(value: Any) -> Any:
    """Texts such as `{audio: 1.5}` would otherwise be taken for YAML, and refused."""
    if isinstance(value, str):
        return ParameterValue(value, value_type=str)
    return list(value) if isinstance(value, tuple) else value
