"""What a robot says: its answer, who weighed what, and how each sensor is, put together from three topics.

`RobotView` is pure: it takes decoded messages and gives a `Picture` of any moment. `Watch` feeds one from a node's
subscriptions.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnibind_ros.core import Contribution, LabelScore, Recognition, SensorState
from omnibind_ros.messages.classification import decode_contributions, decode_recognition
from omnibind_ros.messages.topics import CONTRIBUTIONS, DIAGNOSTICS, RECOGNITION
from omnibind_ros.standalone import qos
from omnibind_ros.standalone.node import Node

_PREFIX = "omnibind: "
_RATE_WINDOW_S = 2.0
_FUSION_SILENT_S = 1.0


@dataclass(frozen=True)
class SensorPicture:
    """A line of the live table; None = not known.

    Attributes:
        weight: share of the latest answer, 0 to 1.
        age_s: of its latest embedding, at the moment of the picture.
        encode_ms: time of one inference.
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

    @property
    def is_live(self) -> bool:
        return self.state is SensorState.LIVE


@dataclass(frozen=True)
class Picture:
    """A robot at one moment.

    Attributes:
        labels: the answer, best first; empty = no live sensor; None = no fusion speaks.
        sensors: ordered by name.
        rate_hz: answers per second.
        silent_s: since the latest answer; None before the first.
    """

    labels: tuple[LabelScore, ...] | None = None
    sensors: tuple[SensorPicture, ...] = ()
    rate_hz: float = 0.0
    silent_s: float | None = None


class RobotView:
    """The newest of everything a robot said. Times are seconds of any steady clock."""

    def __init__(self) -> None:
        self._labels: tuple[LabelScore, ...] = ()
        self._weights: dict[str, float] = {}
        self._reports: dict[str, dict[str, str]] = {}
        self._reported_at: dict[str, float] = {}
        self._answers: deque[float] = deque(maxlen=256)

    def recognised(self, recognition: Recognition, now: float) -> None:
        """A recognition arrived."""
        self._labels = recognition.labels
        self._answers.append(now)

    def contributed(self, contributions: tuple[Contribution, ...]) -> None:
        """Contributions arrived."""
        self._weights = {share.sensor: share.weight for share in contributions}

    def diagnosed(self, sensor: str, values: Mapping[str, str], now: float) -> None:
        """A status of a sensor arrived, from fusion or from its encoder: each adds what it knows."""
        self._reports.setdefault(sensor, {}).update(values)
        if "age_s" in values:
            self._reported_at[sensor] = now

    def picture(self, now: float) -> Picture:
        """The robot as it is known at `now`."""
        if not self._answers:
            return Picture(None, self._sensors(now, fusion_speaks=False))
        silent_s = now - self._answers[-1]
        recent = sum(1 for at in self._answers if now - at < _RATE_WINDOW_S)
        speaks = silent_s < _FUSION_SILENT_S
        return Picture(
            self._labels if speaks else None,
            self._sensors(now, fusion_speaks=speaks),
            recent / _RATE_WINDOW_S,
            silent_s,
        )

    def _sensors(self, now: float, fusion_speaks: bool) -> tuple[SensorPicture, ...]:
        names = sorted({*self._reports, *(self._weights if fusion_speaks else ())})
        return tuple(self._sensor(name, now, fusion_speaks) for name in names)

    def _sensor(self, name: str, now: float, fusion_speaks: bool) -> SensorPicture:
        values = self._reports.get(name, {})
        fuses = fusion_speaks and name in self._weights
        state = SensorState.LIVE if fuses else _state(values.get("state"))
        if not fusion_speaks:
            state = None
        elif state is SensorState.LIVE and not fuses:
            state = SensorState.STALE  # the answer is newer than what was said of the sensor
        age_s = _number(values.get("age_s"))
        return SensorPicture(
            sensor=name,
            state=state,
            reason=values.get("reason", "") if fusion_speaks else "",
            modality=values.get("modality", ""),
            weight=self._weights[name] if fuses else 0.0,
            rate_hz=_number(values.get("rate_hz")),
            age_s=None if age_s is None else age_s + now - self._reported_at.get(name, now),
            quality=_number(values.get("quality")),
            encode_ms=_number(values.get("encode_ms")),
        )


class Watch:
    """Looks at the robot in a node's namespace; the node owns the subscriptions."""

    def __init__(self, node: Node) -> None:
        self._view = RobotView()
        self._lock = threading.Lock()
        answer = qos.Qos(depth=1)
        node.subscribe(RECOGNITION, "vision_msgs/msg/Classification", self._on_recognition, qos=answer)
        node.subscribe(CONTRIBUTIONS, "vision_msgs/msg/Classification", self._on_contributions, qos=answer)
        node.subscribe(
            DIAGNOSTICS,
            "diagnostic_msgs/msg/DiagnosticArray",
            self._on_diagnostics,
            qos=qos.DIAGNOSTICS,
            keep="all",
        )

    def picture(self) -> Picture:
        """The robot now."""
        with self._lock:
            return self._view.picture(time.monotonic())

    def _on_recognition(self, message: Any, info: object) -> None:
        recognition = decode_recognition(message)
        with self._lock:
            self._view.recognised(recognition, time.monotonic())

    def _on_contributions(self, message: Any, info: object) -> None:
        contributions = decode_contributions(message)
        with self._lock:
            self._view.contributed(contributions)

    def _on_diagnostics(self, message: Any, info: object) -> None:
        with self._lock:
            for status in message.status:
                if status.name.startswith(_PREFIX):
                    values = {pair.key: pair.value for pair in status.values}
                    if "state" in values:
                        values["reason"] = status.message.partition(": ")[2]
                    self._view.diagnosed(status.name.removeprefix(_PREFIX), values, time.monotonic())


def _state(text: str | None) -> SensorState | None:
    try:
        return SensorState(text)
    except ValueError:
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None
