"""`/diagnostics`: a status a sensor and one for fusion, as a diagnostic_msgs/DiagnosticArray.

LIVE, MUTED -> OK      as it should be (muted on request)
LOST        -> WARN    sensors may come and go, which may matter
STALE       -> STALE   it is there and silent
FAULTY      -> ERROR   what it sends cannot be used, or contradicts the other sensors
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import make_header
from omnibind_ros.types import SensorState, SensorStatus


class Level(str, Enum):
    """How bad it is; named after the constants of `diagnostic_msgs/DiagnosticStatus`."""

    OK = "OK"
    WARN = "WARN"
    ERROR = "ERROR"
    STALE = "STALE"


_LEVELS = {
    SensorState.LIVE: Level.OK,
    SensorState.MUTED: Level.OK,
    SensorState.LOST: Level.WARN,
    SensorState.STALE: Level.STALE,
    SensorState.FAULTY: Level.ERROR,
}


@dataclass(frozen=True)
class Report:
    """One line of a diagnostics viewer and what unfolds below it.

    Attributes:
        name: who or what is spoken of, e.g. `front_camera`; a viewer shows `fusion: front_camera`.
        message: a short sentence for a person.
        values: key -> value, shown as text (numbers with four digits).
    """

    name: str
    level: Level
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


def sensor_report(status: SensorStatus, values: Mapping[str, object] | None = None) -> Report:
    """The report of fusion on a sensor, or of its encoder, with more `values` (drops, encode ms, backend)."""
    known: dict[str, object] = {
        "modality": status.modality,
        "state": status.state.value,
        "rate_hz": status.rate_hz,
        "age_s": "never" if status.age_s is None else status.age_s,
        "weight": status.weight,
        "quality": status.quality,
        "rejected": status.rejected,
    }
    message = f"{status.state.value}: {status.reason}" if status.reason else status.state.value
    return Report(status.sensor, _LEVELS[status.state], message, {**known, **(values or {})})


def reporter_name(node: str, namespace: str = "") -> str:
    """What stands before the colon of a status name: the node, with its namespace.

    `/diagnostics` is one topic for all namespaces.
    """
    return "/".join(part for part in (namespace.strip("/"), node) if part)


def encode_diagnostics(stamp: int, reporter: str, reports: Iterable[Report]) -> Any:
    """The `diagnostic_msgs/msg/DiagnosticArray` of what a node (`reporter_name`) reports."""
    return message_class("diagnostic_msgs/msg/DiagnosticArray")(
        header=make_header(stamp), status=[_status(reporter, report) for report in reports]
    )


def value_text(value: object) -> str:
    """How a value of a report is written."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _status(reporter: str, report: Report) -> Any:
    status = message_class("diagnostic_msgs/msg/DiagnosticStatus")
    pair = message_class("diagnostic_msgs/msg/KeyValue")
    return status(
        level=getattr(status, report.level.value),
        name=f"{reporter}: {report.name}",
        message=report.message,
        hardware_id="",
        values=[pair(key=key, value=value_text(value)) for key, value in report.values.items()],
    )
