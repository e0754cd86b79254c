"""The encoder of one sensor as a lifecycle node."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from omnibind_ros.config.settings import EncoderSettings
from omnibind_ros.encoder.process import EncoderProcess
from omnibind_ros.errors import ConfigError
from omnibind_ros.messages.diagnostics import Report
from omnibind_ros.names import check_sensor_name
from omnibind_ros.transport.ros.parameters import SettingsParameters
from omnibind_ros.transport.ros.robot_node import RobotNode

_PREFIX = "encoder_"


class EncoderNode(RobotNode):
    """Without the parameter `sensor` it is named after the node: `encoder_wrist` encodes `wrist`."""

    def __init__(self, name: str = "encoder", **options: Any) -> None:
        self._encoder: EncoderProcess | None = None
        super().__init__(name, **options)
        self._settings = SettingsParameters(
            self,
            EncoderSettings,
            at_any_time=EncoderProcess.CHANGEABLE,
            fixed=("sensor",),
            defaults={"sensor": self._own_sensor()},
            apply=self._apply,
        )

    @property
    def subject(self) -> str:
        return str(self.get_parameter("sensor").value) or self.get_name()

    def configure(self) -> None:
        self._encoder = EncoderProcess(self._settings.read(), self.transport)
        self._encoder.on_news = self.report_soon
        self._settings.configured = True

    def activate(self) -> None:
        assert self._encoder is not None
        self._encoder.start()

    def deactivate(self) -> None:
        if self._encoder is not None:
            self._encoder.stop()

    def cleanup(self) -> None:
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None
        self._settings.configured = False

    def reports(self) -> Iterable[Report]:
        assert self._encoder is not None
        return self._encoder.reports()

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
    except ConfigError:  # reported when the node is configured
        return "encoder"
