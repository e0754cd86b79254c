"""The state of a robot, put together from three topics: its answer, the weights, and how each sensor is.

`RobotView` takes what arrives and gives a `Snapshot` of any moment; it is handed its clock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from omnibind_ros.messages.diagnostics import reporter_name
from omnibind_ros.types import Contribution, LabelScore, Recognition, SensorState

_RATE_WINDOW_S = 2.0
_FUSION_SILENT_S = 1.0
_ENCODER_SILENT_S = 2.5
"""Encoders report once a second."""
_SILENT = (SensorState.STALE, SensorState.LOST)


@dataclass(frozen=True)
class SensorRow:
    """A row of the live table; None = not known.

    Attributes:
        weight: share of the latest answer, 0 to 1.
        rate_hz: of its embeddings.
        age_s: of its latest embedding when fusion last reported.
        encode_ms: time of one inference.
        warning: what is wrong with a sensor although it is live.
    """

    sensor: str
    state: SensorState | None = None
    reason: str = ""
    modality: str = ""
    weight: float = 0.0
    rate_hz: float | None = None
    age_s: float | None = None
    quality: float | None = None
    encode_ms: float | None = None
    warning: str = ""

    @property
    def is_live(self) -> bool:
        return self.state is SensorState.LIVE


@dataclass(frozen=True)
class Snapshot:
    """A robot at one moment.

    Attributes:
        labels: the answer, best first; empty = no live sensor; None = no fusion runs.
        sensors: ordered by name.
        rate_hz: answers per second.
        silent_s: since the latest answer; None before the first.
    """

    labels: tuple[LabelScore, ...] | None = None
    sensors: tuple[SensorRow, ...] = ()
    rate_hz: float = 0.0
    silent_s: float | None = None


class RobotView:
    """The newest state of the robot of a namespace. Times are seconds of any steady clock."""

    def __init__(self, namespace: str = "") -> None:
        self._namespace = namespace
        self._labels: tuple[LabelScore, ...] = ()
        self._weights: dict[str, float] = {}
        self._by_fusion: dict[str, _Report] = {}
        self._by_encoder: dict[str, _Report] = {}
        self._answers: deque[float] = deque(maxlen=256)

    def recognised(self, recognition: Recognition, now: float) -> None:
        """A recognition arrived."""
        self._labels = recognition.labels
        self._answers.append(now)

    def contributed(self, contributions: tuple[Contribution, ...]) -> None:
        """Contributions arrived."""
        self._weights = {share.sensor: share.weight for share in contributions}

    def diagnosed(
        self, name: str, message: str, values: Mapping[str, str], now: float, *, warns: bool = False
    ) -> None:
        """A status arrived. Fusion's of a sensor are called `fusion: x`, its encoder's `encoder_x: x`."""
        reporter, _, sensor = name.partition(": ")
        if "state" not in values:
            return
        report = _Report(values, message.removeprefix(values["state"]).lstrip(":; "), now, warns)
        if reporter == reporter_name("fusion", self._namespace):
            self._by_fusion[sensor] = report
        elif reporter == reporter_name(f"encoder_{sensor}", self._namespace):
            self._by_encoder[sensor] = report

    def snapshot(self, now: float) -> Snapshot:
        """The robot as it is known at `now`."""
        silent_s = now - self._answers[-1] if self._answers else None
        if silent_s is None or silent_s >= _FUSION_SILENT_S:
            sensors = [self._unfused(name, now) for name in sorted({*self._by_fusion, *self._by_encoder})]
            return Snapshot(None, tuple(sensors), silent_s=silent_s)
        recent = sum(1 for at in self._answers if now - at < _RATE_WINDOW_S)
        sensors = [self._sensor(name, now) for name in sorted({*self._by_fusion, *self._weights})]
        return Snapshot(self._labels, tuple(sensors), recent / _RATE_WINDOW_S, silent_s)

    def _sensor(self, name: str, now: float) -> SensorRow:
        report = self._by_fusion.get(name, _NO_REPORT)
        encoder = self._encoder(name, now)
        state, reason = report.state, report.reason
        warnings = [one.reason for one in (report, encoder) if one.warns and one.state is SensorState.LIVE]
        warning = "; ".join(warnings) if name in self._weights else ""
        # Contributions come with every answer, diagnostics once a second.
        if name in self._weights:
            state = SensorState.LIVE
        elif state is SensorState.LIVE:
            state, reason = SensorState.STALE, ""
        encoder_is_there = report.values.get("encoders") != "0"
        return SensorRow(
            sensor=name,
            state=state,
            # Fusion gets no embeddings; the encoder, if it runs, knows why.
            reason=encoder.reason or reason if state in _SILENT and encoder_is_there else reason,
            modality=report.values.get("modality") or encoder.values.get("modality", ""),
            weight=self._weights.get(name, 0.0),
            rate_hz=report.number("rate_hz") or None,
            age_s=report.number("age_s"),
            quality=report.number("quality"),
            encode_ms=encoder.number("encode_ms"),
            warning=warning,
        )

    def _unfused(self, name: str, now: float) -> SensorRow:
        encoder = self._encoder(name, now)
        modality = {**self._by_fusion.get(name, _NO_REPORT).values, **encoder.values}.get("modality", "")
        return SensorRow(name, reason=encoder.reason, modality=modality)

    def _encoder(self, name: str, now: float) -> _Report:
        """The encoder's last report, unless it is too old."""
        report = self._by_encoder.get(name, _NO_REPORT)
        return report if now - report.at < _ENCODER_SILENT_S else _NO_REPORT


@dataclass(frozen=True)
class _Report:
    """A status of a sensor, and when it came."""

    values: Mapping[str, str]
    reason: str
    at: float
    warns: bool = False

    @property
    def state(self) -> SensorState | None:
        try:
            return SensorState(self.values.get("state"))
        except ValueError:
            return None

    def number(self, key: str) -> float | None:
        try:
            number = float(self.values.get(key, ""))
        except ValueError:
            return None
        return number if math.isfinite(number) else None


_NO_REPORT = _Report({}, "", -math.inf)
