"""A node's reports on `/diagnostics`, once a period and at once when something has changed.

`diagnostic_updater` runs its timer on ROS time, which stands still under `use_sim_time` without a clock, and
takes a fixed list of tasks; here the steady clock drives it and sensors come and go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from diagnostic_updater import Updater
from rclpy.clock import Clock
from rclpy.node import Node

from omnibind_ros.messages.diagnostics import Level, Report, reporter_name, value_text

_LEVELS = {
    Level.OK: DiagnosticStatus.OK,
    Level.WARN: DiagnosticStatus.WARN,
    Level.ERROR: DiagnosticStatus.ERROR,
    Level.STALE: DiagnosticStatus.STALE,
}


class Diagnostics(Updater):  # type: ignore[misc]
    """Publishes what `reports` says.

    Args:
        steady: its period runs on this clock.
        hardware: `hardware_id` of all statuses.
        reports: asked at every update, on the executor's thread.
    """

    def __init__(
        self, node: Node, steady: Clock, hardware: str, reports: Callable[[], Iterable[Report]]
    ) -> None:
        super().__init__(node)
        node.destroy_timer(self.timer)
        self.setHardwareID(hardware)
        self._reporter = reporter_name(node.get_name(), node.get_namespace())
        self._reports = reports
        self._latest: dict[str, Report] = {}
        self._steady_timer = node.create_timer(self.period, self.report, clock=steady)

    def report(self) -> None:
        """Publish now."""
        before, self._latest = self._latest, {report.name: report for report in self._reports()}
        for gone in before.keys() - self._latest.keys():
            self.removeByName(gone)
        for new in self._latest.keys() - before.keys():
            self.add(new, self._fill)
        self.force_update()

    def addedTaskCallback(self, task: Any) -> None:  # noqa: N802
        """Say nothing of a task before it has something to say."""

    def publish(self, msg: Any) -> None:
        """Publish statuses under the name of this node; Humble's updater leaves its namespace out."""
        array = DiagnosticArray()
        array.header.stamp = self.node.get_clock().now().to_msg()
        for status in msg if isinstance(msg, list) else [msg]:
            # A wrapper is no DiagnosticStatus to the middleware.
            array.status.append(
                DiagnosticStatus(
                    level=status.level,
                    name=f"{self._reporter}: {status.name}",
                    message=status.message,
                    hardware_id=status.hardware_id,
                    values=status.values,
                )
            )
        self.publisher.publish(array)

    def _fill(self, status: Any) -> Any:
        report = self._latest[status.name]
        status.summary(_LEVELS[report.level], report.message)
        for key, value in report.values.items():
            status.add(key, value_text(value))
        return status
