"""The actions of the launch files: the nodes of a robot, with the settings of its robot file."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import yaml
from launch import LaunchContext
from launch.actions import DeclareLaunchArgument, EmitEvent, LogInfo
from launch.events.process import ProcessExited, ShutdownProcess
from launch.logging import get_logger
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

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


_log = get_logger("omnibind_ros")

# Ctrl-C must not reach Python before it can handle signals; `end_quietly` lifts this.
_BLOCK_SIGNALS = " env --block-signal=INT,TERM" if sys.platform == "linux" else ""


def given(context: LaunchContext, name: str) -> str:
    """The value of a launch argument; "" if it was not given."""
    return str(LaunchConfiguration(name).perform(context))


def fusion_action(context: LaunchContext, settings: FusionSettings, namespace: str) -> Node:
    """The fusion node."""
    return _process(context, "fusion_node", namespace, {"fusion": to_parameters(settings)})


def encoder_action(
    context: LaunchContext,
    settings: EncoderSettings,
    namespace: str,
    respawn: bool = True,
    respawn_delay_s: float = 1.0,
) -> Node:
    """The encoder node of a sensor."""
    nodes = {f"encoder_{settings.sensor}": to_parameters(settings)}
    return _process(context, "encoder_node", namespace, nodes, [], respawn, respawn_delay_s)


def robot_action(
    context: LaunchContext, fusion: FusionSettings, encoders: Sequence[EncoderSettings], namespace: str
) -> Node:
    """The fusion node and all encoder nodes in one process."""
    nodes = {"fusion": to_parameters(fusion)}
    nodes.update((f"encoder_{settings.sensor}", to_parameters(settings)) for settings in encoders)
    return _process(context, "robot_node", namespace, nodes, [settings.sensor for settings in encoders])


def warn_of_discovery() -> None:
    """Log that the nodes reach the network, if they were to stay on this machine by a setting of Jazzy."""
    given, needed = "ROS_AUTOMATIC_DISCOVERY_RANGE", "ROS_LOCALHOST_ONLY"
    if os.environ.get("ROS_DISTRO") == "humble" and given in os.environ and needed not in os.environ:
        _log.warning(f"ROS 2 Humble ignores {given}: set {needed}=1 to stay on this machine")


def _process(
    context: LaunchContext,
    executable: str,
    namespace: str,
    nodes: Mapping[str, Mapping[str, Any]],
    arguments: Sequence[str] = (),
    respawn: bool = True,
    respawn_delay_s: float = 1.0,
) -> Node:
    """A process that is restarted after a crash, but not after it refused its arguments (exit status 2).

    Args:
        nodes: the parameters of each node in it.

    Raises:
        ConfigError: `params_file` is not a file.
    """
    # launch reads signals from a descriptor. A KeyboardInterrupt would only end the task that is starting a
    # process, and launch would wait for that process for ever.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    simulated_time = {"use_sim_time": given(context, "use_sim_time") == "true"}
    level = given(context, "log_level")
    return Node(
        package=PACKAGE,
        executable=executable,
        name=next(iter(nodes)) if len(nodes) == 1 else None,
        exec_name=executable,
        namespace=namespace,
        parameters=[_parameter_file(nodes), simulated_time, *_params_files(context)],
        arguments=list(arguments),
        ros_arguments=[word for node in nodes for word in ("--log-level", f"{node}:={level}")],
        prefix=[LaunchConfiguration("launch-prefix", default=""), _BLOCK_SIGNALS],
        output="screen",
        emulate_tty=True,
        respawn=respawn,
        respawn_delay=respawn_delay_s,
        on_exit=_end_respawn_if_refused,
    )


def _parameter_file(nodes: Mapping[str, Mapping[str, Any]]) -> str:
    """A file with the parameters of each node; launch_ros itself would give all nodes the same.

    Like the files that launch_ros writes, it is left to the system to be removed.
    """
    content = {f"/**/{node}": {"ros__parameters": _plain(parameters)} for node, parameters in nodes.items()}
    with NamedTemporaryFile("w", prefix="launch_params_", suffix=".yaml", delete=False) as file:
        yaml.safe_dump(content, file)
    return file.name


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in parameters.items()}


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
