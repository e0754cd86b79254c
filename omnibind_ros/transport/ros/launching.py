"""The actions of the launch files: the nodes of a robot, with the settings of its robot file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, EmitEvent, LogInfo
from launch.events.process import ProcessExited, ShutdownProcess
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from omnibind_ros.config.parameters import to_parameters
from omnibind_ros.config.resources import PACKAGE
from omnibind_ros.config.settings import EncoderSettings, FusionSettings
from omnibind_ros.errors import REFUSED, ConfigError

COMMON_ARGUMENTS = (
    DeclareLaunchArgument(
        "params_file",
        default_value="",
        description="ROS 2 parameter file (YAML) for the nodes; it overrides the robot file.",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="Minimum log level of the nodes.",
    ),
    DeclareLaunchArgument(
        "use_sim_time",
        default_value="false",
        choices=["true", "false"],
        description="Take the time from /clock, e.g. when a bag is played with --clock.",
    ),
)
"""Arguments of every launch file that starts nodes."""


def given(context: LaunchContext, name: str) -> str:
    """The value of a launch argument; "" if it was not given."""
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
    """The encoder node of a sensor."""
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
    """A node that is restarted after a crash, but not after it refused its arguments (exit status 2).

    Raises:
        ConfigError: `params_file` is not a file.
    """
    typed = {key: _typed(value) for key, value in parameters.items()}
    simulated_time = {"use_sim_time": given(context, "use_sim_time") == "true"}
    return Node(
        package=PACKAGE,
        executable=executable,
        name=name,
        namespace=namespace,
        parameters=[typed, simulated_time, *_params_files(context)],
        ros_arguments=["--log-level", f"{name}:={given(context, 'log_level')}"],
        output="screen",
        emulate_tty=True,
        respawn=respawn,
        respawn_delay=respawn_delay_s,
        on_exit=_end_respawn_if_refused,
    )


def _params_files(context: LaunchContext) -> list[str]:
    # launch_ros only warns of a missing file, and starts the nodes without it.
    file = given(context, "params_file")
    if file and not Path(file).is_file():
        raise ConfigError(f"params_file:={file}: no such file")
    return [file] if file else []


def _end_respawn_if_refused(event: ProcessExited, context: LaunchContext) -> list[Any]:
    if event.returncode != REFUSED:
        return []
    end = ShutdownProcess(process_matcher=lambda action: action is event.action)
    message = f"{event.process_name} refused its arguments; it is not restarted"
    return [LogInfo(msg=message), EmitEvent(event=end)]


def _typed(value: Any) -> Any:
    """Strings such as `{audio: 1.5}` would otherwise be parsed as YAML."""
    if isinstance(value, str):
        return ParameterValue(value, value_type=str)
    return list(value) if isinstance(value, tuple) else value
