"""A process's reports on `/diagnostics`: once a second, and at once when something has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from omnibind_ros.messages.diagnostics import Report, encode_diagnostics
from omnibind_ros.messages.topics import DIAGNOSTICS as TOPIC
from omnibind_ros.transport.protocol import Transport
from omnibind_ros.transport.qos import DIAGNOSTICS

_PERIOD_S = 1.0


class Diagnostics:
    """Publishes what `reports` returns, from its making to `close`.

    Args:
        reporter: name of the process in the statuses; see `messages.diagnostics.reporter_name`.
        reports: called in the transport's callbacks. If it fails, the next period tries again.
    """

    def __init__(self, transport: Transport, reporter: str, reports: Callable[[], Iterable[Report]]) -> None:
        self._transport = transport
        self._reporter = reporter
        self._reports = reports
        self._publisher = transport.publisher(TOPIC, "diagnostic_msgs/msg/DiagnosticArray", DIAGNOSTICS)
        self._alarm = transport.alarm(self._publish)
        self._alarm.set(0)

    def soon(self) -> None:
        """Publish out of turn. From any thread."""
        self._alarm.set(0)

    def close(self) -> None:
        """Publish no more."""
        self._alarm.close()
        self._publisher.close()

    def _publish(self) -> None:
        self._alarm.set(_PERIOD_S)
        reports = list(self._reports())
        self._publisher.publish(encode_diagnostics(self._transport.now(), self._reporter, reports))
