"""Fusion as a lifecycle node: every encoder's embeddings in, one recognition out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration

from omnibind_ros.config.settings import FusionSettings
from omnibind_ros.fusion.process import FusionProcess
from omnibind_ros.messages.diagnostics import Report
from omnibind_ros.transport.ros.parameters import SettingsParameters
from omnibind_ros.transport.ros.robot_node import RobotNode


class FusionNode(RobotNode):
    """Needs no list of sensors: a sensor whose embeddings are published in its namespace takes part."""

    def __init__(self, name: str = "fusion", **options: Any) -> None:
        self._fusion: FusionProcess | None = None
        super().__init__(name, **options)
        self._settings = SettingsParameters(
            self, FusionSettings, at_any_time=FusionProcess.CHANGEABLE, apply=self._apply
        )
        self._jumps = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(seconds=-0.1), on_clock_change=True),
            post_callback=self._on_clock_jump,
        )

    @property
    def subject(self) -> str:
        return "recognition"

    def configure(self) -> None:
        self._fusion = FusionProcess(self._settings.read(), self.transport)
        self._fusion.on_news = self.report_soon
        self._settings.configured = True

    def activate(self) -> None:
        assert self._fusion is not None
        self._fusion.start()

    def deactivate(self) -> None:
        if self._fusion is not None:
            self._fusion.stop()

    def cleanup(self) -> None:
        self._fusion = None
        self._settings.configured = False

    def reports(self) -> Iterable[Report]:
        assert self._fusion is not None
        return self._fusion.reports()

    def _on_clock_jump(self, jump: Any) -> None:
        if self._fusion is not None:
            self.get_logger().warning("the clock jumped: what was received before no longer counts")
            self._fusion.clock_jumped()

    def _apply(self, settings: FusionSettings) -> None:
        if self._fusion is not None:
            self._fusion.apply(settings)
