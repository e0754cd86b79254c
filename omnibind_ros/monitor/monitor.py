"""Follows a running robot through its topics, over any transport."""

from __future__ import annotations

import threading
import time
from typing import Any

from omnibind_ros.messages.classification import decode_contributions, decode_recognition
from omnibind_ros.messages.topics import CONTRIBUTIONS, DIAGNOSTICS, RECOGNITION
from omnibind_ros.monitor.robot_view import RobotView, Snapshot
from omnibind_ros.transport import qos
from omnibind_ros.transport.protocol import Transport, subscribe

_CLASSIFICATION = "vision_msgs/msg/Classification"
_DIAGNOSTICS = qos.Qos(depth=100)  # every process of every robot publishes there


class Monitor:
    """The robot in the transport's namespace; its subscriptions end with the transport."""

    def __init__(self, transport: Transport) -> None:
        self._view = RobotView(transport.namespace)
        self._lock = threading.Lock()
        newest = qos.Qos(depth=1)
        subscribe(transport, RECOGNITION, _CLASSIFICATION, self._on_recognition, newest)
        subscribe(transport, CONTRIBUTIONS, _CLASSIFICATION, self._on_contributions, newest)
        subscribe(
            transport, DIAGNOSTICS, "diagnostic_msgs/msg/DiagnosticArray", self._on_diagnostics, _DIAGNOSTICS
        )

    def snapshot(self) -> Snapshot:
        """The robot now. From any thread."""
        with self._lock:
            return self._view.snapshot(time.monotonic())

    def _on_recognition(self, message: Any) -> None:
        recognition = decode_recognition(message)
        with self._lock:
            self._view.recognised(recognition, time.monotonic())

    def _on_contributions(self, message: Any) -> None:
        contributions = decode_contributions(message)
        with self._lock:
            self._view.contributed(contributions)

    def _on_diagnostics(self, message: Any) -> None:
        now = time.monotonic()
        with self._lock:
            for status in message.status:
                values = {pair.key: pair.value for pair in status.values}
                warns = status.level == status.WARN
                self._view.diagnosed(status.name, status.message, values, now, warns=warns)
