"""`ros2 run omnibind_ros encoder_node`: the encoder of one sensor.

    driver's topic -> Driver -> EncoderRuntime (its thread) -> omnibind/<sensor>/embedding

    ros2 run omnibind_ros encoder_node --ros-args -p sensor:=wrist -p modality:=touch -p topic:=wrist/image

The subscription's callback only hands over. With inference inside it, other timers waited 36 ms and messages
were lost uncounted.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from rclpy.publisher import Publisher

from omnibind_ros.config.settings import EncoderSettings
from omnibind_ros.encoder.runtime import EncoderRuntime
from omnibind_ros.errors import ConfigError
from omnibind_ros.messages.diagnostics import Report
from omnibind_ros.messages.topics import embedding_topic
from omnibind_ros.names import check_sensor_name
from omnibind_ros.transport.ros.driver import Driver
from omnibind_ros.transport.ros.events import NO_EVENTS
from omnibind_ros.transport.ros.parameters import SettingsParameters
from omnibind_ros.transport.ros.qos import OVERRIDABLE, embedding_qos
from omnibind_ros.transport.ros.robot_node import RobotNode
from omnibind_ros.transport.ros.spin import spin
from omnibind_ros.transport.ros.types import TYPES

_PREFIX = "encoder_"


class EncoderNode(RobotNode):
    """Without the parameter `sensor` it is named after the node: `encoder_wrist` encodes `wrist`."""

    def __init__(self, name: str = "encoder", **options: Any) -> None:
        self._encoder: EncoderRuntime | None = None
        self._driver: Driver | None = None
        self._embeddings: Publisher | None = None
        super().__init__(name, hardware="", **options)
        self._settings = SettingsParameters(
            self,
            EncoderSettings,
            at_any_time=("driver_",),
            fixed=("sensor",),
            defaults={"sensor": self._own_sensor()},
            apply=self._apply,
        )
        self.diagnostics.setHardwareID(self.subject)

    @property
    def subject(self) -> str:
        return str(self.get_parameter("sensor").value) or self.get_name()

    def configure(self) -> None:
        self._encoder = EncoderRuntime(self._settings.read(), TYPES, self.now)
        self._settings.configured = True

    def activate(self) -> None:
        assert self._encoder is not None
        # A publisher of an inactive node would look to others like an encoder that is there.
        self._embeddings = self.create_publisher(
            TYPES["sensor_msgs/msg/PointCloud2"],
            embedding_topic(self._encoder.settings.sensor),
            embedding_qos(),
            event_callbacks=NO_EVENTS,
            qos_overriding_options=OVERRIDABLE,
        )
        self._encoder.start(self._embeddings.publish, self.tell_news)
        self._driver = Driver(
            self,
            self.steady,
            self._encoder.settings.topic,
            self._encoder.accepted_types,
            self._receive,
            self._encoder.driver,
            streams=self._encoder.streams,
            depth=self._encoder.queue_depth,
        )

    def deactivate(self) -> None:
        if self._encoder is not None:
            self._encoder.stop()  # the goodbye comes first
        if self._embeddings is not None:
            self.destroy_publisher(self._embeddings)
            self._embeddings = None
        if self._driver is not None:
            self._driver.close()
            self._driver = None

    def cleanup(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None
        self._settings.configured = False

    def reports(self) -> Iterable[Report]:
        assert self._encoder is not None and self._driver is not None
        return [self._encoder.report(self._driver.problem, {"lost": self._driver.lost})]

    def _receive(self, message: Any, lost: int) -> None:
        # Before anybody has told the time there is none to stamp an embedding with.
        if self._encoder is not None and self.now():
            self._encoder.receive(message, lost)

    def _apply(self, settings: EncoderSettings) -> None:
        if self._encoder is not None:
            self._encoder.apply(settings)

    def _own_sensor(self) -> str:
        name = str(self.get_name())
        return name[len(_PREFIX) :] if name.startswith(_PREFIX) else ""


def node_name(arguments: Sequence[str]) -> str:
    """`encoder_<sensor>` for `-p sensor:=<sensor>` on the command line, else `encoder`.

    A node must be named before its parameters can be read; `-r __node:=...` wins over this.
    """
    given = [match[1] for text in arguments if (match := re.fullmatch(r"(?:.*:)?sensor:=(.*)", text))]
    try:
        return _PREFIX + check_sensor_name(given[-1]) if given else "encoder"
    except ConfigError:  # told when the node is configured
        return "encoder"


def main() -> None:
    """The executable."""
    spin(lambda: EncoderNode(node_name(sys.argv[1:])))


if __name__ == "__main__":
    main()
