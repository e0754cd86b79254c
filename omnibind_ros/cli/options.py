"""Options of several commands, and their conversion to a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from omnibind_ros.config.robot import RobotConfig, load_robot
from omnibind_ros.config.strict_yaml import Document, KeyPath
from omnibind_ros.errors import ConfigError
from omnibind_ros.transport.protocol import Transport
from omnibind_ros.transport.zenoh.session import Network

# The network. The environment variables are for child processes of `omnibind up`.
Namespace = Annotated[str | None, typer.Option("--namespace", help="ROS namespace, e.g. robot1.")]
Domain = Annotated[
    int | None, typer.Option("--domain", help="ROS domain (default: the variable ROS_DOMAIN_ID, else 0).")
]
Connect = Annotated[
    list[str] | None,
    typer.Option(
        "--connect",
        metavar="ADDRESS",
        envvar="OMNIBIND_CONNECT",
        help="Zenoh router of another machine, e.g. tcp/192.168.1.7:7447. May be given several times.",
    ),
]
Listen = Annotated[
    list[str] | None,
    typer.Option(
        "--listen",
        metavar="ADDRESS",
        envvar="OMNIBIND_LISTEN",
        help="Address for other machines to connect to, e.g. tcp/0.0.0.0:7447. May be given several times.",
    ),
]
ZenohConfig = Annotated[
    Path | None,
    typer.Option(
        "--zenoh-config",
        envvar="OMNIBIND_ZENOH_CONFIG",
        help="Zenoh configuration file, JSON5 (TLS, access).",
    ),
]

OnRos = Annotated[bool, typer.Option("--ros", help="Use ROS 2 (rclpy) instead of Zenoh.")]

# The robot.
RobotFile = Annotated[Path | None, typer.Option("--robot", help="Robot file; other options override it.")]
BundleName = Annotated[
    str | None, typer.Option("--bundle", help="Name of an installed bundle, or its folder.  [digits]")
]

DataRoot = Annotated[
    Path | None, typer.Option("--root", envvar="OMNIBIND_DATA", help="Folder of recordings.")
]


def data_root(root: Path | None) -> Path:
    """The folder of recordings of a command that needs one.

    Raises:
        ConfigError: it was not given.
    """
    if root is None:
        raise ConfigError("no data folder: pass --root or set OMNIBIND_DATA")
    return root


def check_output(option: str, file: Path | None) -> None:
    """Refuse an output file before the work that it is for.

    Raises:
        ConfigError: its folder does not exist.
    """
    if file is not None and not file.parent.is_dir():
        raise ConfigError(f"{option} {file}: no folder {file.parent}; create it first")


@contextmanager
def transport(
    ros: bool,
    name: str,
    namespace: str | None,
    domain: int | None,
    connect: list[str] | None,
    listen: list[str] | None,
    zenoh_config: Path | None,
) -> Iterator[Transport]:
    """A node of that name in the graph of the robot.

    Raises:
        ConfigError: `ros` without a sourced ROS 2, or an address is not a Zenoh endpoint.
        TransportError: the network cannot be reached.
    """
    network = zenoh_network(connect, listen, zenoh_config)
    if ros:
        require_ros2()
        from omnibind_ros.transport.ros.session import ros_transport  # only where there is ROS 2

        with ros_transport(name, namespace or "", domain) as found:
            yield found
    else:
        from omnibind_ros.transport.zenoh.node import Node  # only where there is none

        with Node(name, namespace or "", domain, network) as node:
            yield node


def require_ros2() -> None:
    """Check that `--ros` can be used.

    Raises:
        ConfigError: ROS 2 is not sourced.
    """
    if find_spec("rclpy") is None:
        raise ConfigError("--ros needs ROS 2 (no module 'rclpy'): first source /opt/ros/<distro>/setup.bash")


def zenoh_network(connect: list[str] | None, listen: list[str] | None, zenoh_config: Path | None) -> Network:
    """The network options as a configuration.

    Raises:
        ConfigError: an address is not a Zenoh endpoint.
    """
    return Network(connect=tuple(connect or ()), listen=tuple(listen or ()), config=zenoh_config)


def robot_config(file: Path | None, given: Mapping[str, Any]) -> RobotConfig:
    """A robot file (or the default robot), overridden by options.

    Args:
        given: the options, nested as in a robot file; None means not given.

    Raises:
        ConfigError: one line that names file, line and key, or key and option.
    """
    in_file = load_robot(file).model_dump(exclude_unset=True) if file else {}
    return _CommandLine(Path(), _merged(in_file, given), {}).validate(RobotConfig)


class _CommandLine(Document):
    """Values that are not in a file."""

    def error(self, key_path: KeyPath, problem: str) -> ConfigError:
        return ConfigError(f"{'.'.join(key_path)}: {problem}")


def _merged(in_file: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(in_file)
    for key, value in given.items():
        if isinstance(value, Mapping):
            inner = _merged(merged.get(key) or {}, value)
            if inner:
                merged[key] = inner
        elif value is not None:
            merged[key] = value
    return merged
