"""The executables of `ros2 run omnibind_ros`. They import what they run after signals are taken care of.

Importing rclpy and the rest takes a second, in which Ctrl-C must end a node without a traceback.
"""

from __future__ import annotations

import sys
from functools import partial

from omnibind_ros.process.signals import end_quietly


def encoder_node() -> None:
    """The encoder of one sensor.

    ros2 run omnibind_ros encoder_node --ros-args -p sensor:=wrist -p modality:=touch -p topic:=wrist/image
    """
    end_quietly()
    from omnibind_ros.transport.ros.encoder_node import EncoderNode, node_name
    from omnibind_ros.transport.ros.spin import spin

    spin(lambda: EncoderNode(node_name(sys.argv[1:])))


def fusion_node() -> None:
    """Every encoder's embeddings in, one recognition out."""
    end_quietly()
    from omnibind_ros.transport.ros.fusion_node import FusionNode
    from omnibind_ros.transport.ros.spin import spin

    spin(FusionNode)


def robot_node() -> None:
    """Fusion and the encoders of the named sensors in one process, with parameters by node name.

    ros2 run omnibind_ros robot_node front_camera microphone --ros-args --params-file parameters.yaml
    """
    end_quietly()
    from rclpy.utilities import remove_ros_args

    from omnibind_ros.transport.ros.encoder_node import EncoderNode
    from omnibind_ros.transport.ros.fusion_node import FusionNode
    from omnibind_ros.transport.ros.spin import spin

    sensors = remove_ros_args(sys.argv)[1:]
    spin(FusionNode, *(partial(EncoderNode, f"encoder_{sensor}") for sensor in sensors))


def main() -> None:
    """The executable that the first argument names, for commands that are not installed."""
    globals()[sys.argv.pop(1)]()
