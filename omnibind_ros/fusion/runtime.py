"""Fusion as both shells run it: embedding messages and comings and goings in, answers out.

    hear, refuse, count_encoders      what arrives
    step() -> Outputs | None          what to publish now, if anything is due
    patience_s()                      how long nothing will be due unless something arrives

A shell subscribes, publishes and sleeps. One thread at a time may use it; nothing that arrives raises.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.config.settings import FusionSettings
from omnibind_ros.errors import BadMessage
from omnibind_ros.fusion.core import FusionCore
from omnibind_ros.fusion.publish_schedule import PublishSchedule
from omnibind_ros.messages.classification import encode_contributions, encode_recognition
from omnibind_ros.messages.diagnostics import Level, Report, sensor_report
from omnibind_ros.messages.embedding_cloud import decode_embedding, encode_fused
from omnibind_ros.messages.label_info import encode_label_info
from omnibind_ros.messages.types import MessageTypes
from omnibind_ros.process.throttled_log import ThrottledLog
from omnibind_ros.types import Recognition, SensorState, SensorStatus

_log = logging.getLogger(__name__)


class Outputs:
    """The messages of one step, all of one stamp, each made when asked for: only the answer is urgent."""

    def __init__(self, types: MessageTypes, recognition: Recognition, space: int, frame_id: str) -> None:
        self._types = types
        self._recognition = recognition
        self._space = space
        self._frame_id = frame_id

    def recognition(self) -> Any:
        """`vision_msgs/msg/Classification`."""
        return encode_recognition(self._types, self._recognition, self._frame_id)

    def contributions(self) -> Any:
        """`vision_msgs/msg/Classification`."""
        return encode_contributions(self._types, self._recognition, self._frame_id)

    def fused(self) -> Any:
        """`sensor_msgs/msg/PointCloud2`."""
        return encode_fused(self._types, self._recognition, self._space, self._frame_id)


class FusionRuntime:
    """Fuses whatever is live.

    Args:
        types: message classes of the shell.
        clock: ns since the epoch (ROS time under ROS 2); stamps and ages.
        steady: ns that never jump; when to publish.

    Raises:
        OmniBindError: whatever is wrong with the settings or the bundle.
    """

    def __init__(
        self,
        settings: FusionSettings,
        types: MessageTypes,
        clock: Callable[[], int] = time.time_ns,
        steady: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.settings = settings
        self._types = types
        self._clock = clock
        self._steady = steady
        self._bundle = Bundle.load(settings.bundle)
        self._core = FusionCore.open(self._bundle, settings)
        self._schedule = PublishSchedule(settings.rate_hz, settings.max_rate_hz)
        self._encoders: dict[str, int] = {}
        self._news = False
        self._recognitions = 0
        self._failures = 0
        self._step_ms = 0.0
        self._log = ThrottledLog(_log)

    def apply(self, settings: FusionSettings) -> None:
        """Other settings from now on; another bundle, frame or number of threads needs another runtime."""
        self.settings = settings
        self._core.apply(settings)
        self._schedule.set_rates(settings.rate_hz, settings.max_rate_hz)
        self._schedule.changed()

    def label_info(self) -> Any:
        """The `vision_msgs/msg/LabelInfo` that says what can be recognised."""
        return encode_label_info(
            self._types,
            self._core.labels.names,
            self._core.unknown_threshold,
            self._clock(),
            self.settings.frame_id,
        )

    # What arrives

    def hear(self, sensor: str, message: Any) -> None:
        """A `sensor_msgs/PointCloud2` of a sensor's encoder."""
        with self._surviving():
            now = self._clock()
            try:
                embedding = decode_embedding(message, sensor)
            except BadMessage as error:
                self._core.live_set.reject(sensor, str(error), now)
                return
            if embedding is None:
                modality = message.fields[0].name if message.fields else ""
                self._core.live_set.goodbye(sensor, now, modality)
            elif self._core.update(embedding, now):
                self._schedule.news()

    def refuse(self, sensor: str, reason: str) -> None:
        """Something came from a sensor that is not even that."""
        with self._surviving():
            self._core.live_set.reject(sensor, reason, self._clock())

    def count_encoders(self, sensor: str, count: int) -> None:
        """So many encoders publish under this name from now on."""
        if count == self._encoders.get(sensor, 0):
            return
        with self._surviving():
            self._news = True
            if count:
                self._encoders[sensor] = count
                self._core.live_set.appear(sensor, "", self._clock())
            else:
                del self._encoders[sensor]
                self._core.live_set.leave(sensor, self._clock())

    def part(self) -> None:
        """Hear nobody any more: all encoders count as gone."""
        for sensor in list(self._encoders):
            self.count_encoders(sensor, 0)

    def clock_jumped(self) -> None:
        """The clock was set: what was received no longer counts."""
        self._core.live_set.reset(self._clock())
        self._schedule.changed()

    # What is due

    def patience_s(self) -> float:
        """Seconds until something is due if nothing arrives."""
        steady, now = self._steady(), self._clock()
        wait = self._schedule.due_at(steady) - steady
        expiry = self._core.live_set.next_expiry(now)
        if expiry is not None:
            wait = min(wait, expiry - now)
        return max(0, wait) / 1e9

    def step(self) -> Outputs | None:
        """Note what has changed; the answer, if one is due."""
        with self._surviving():
            self._note_changes()
            if self._schedule.is_due(self._steady()):
                return self._answer()
        return None

    # For whoever looks after the robot

    def take_news(self) -> bool:
        """Whether a sensor's state has changed since this was last asked."""
        news, self._news = self._news, False
        return news

    def reports(self, lost: Callable[[str], int] = lambda sensor: 0) -> list[Report]:
        """One of fusion, one a sensor. `lost`: how many messages of a sensor the shell missed."""
        statuses = self._core.statuses(self._clock())
        return [self._own_report(statuses), *(self._report_on(status, lost) for status in statuses)]

    def _note_changes(self) -> None:
        for change in self._core.live_set.advance(self._clock()):
            _log.info("%s is %s: %s", change.sensor, change.after.value, change.reason)
            self._schedule.changed()
            self._news = True

    def _answer(self) -> Outputs:
        begun = self._steady()
        self._schedule.published(begun)
        recognition = self._core.step(self._clock())
        self._step_ms += ((self._steady() - begun) / 1e6 - self._step_ms) / 16
        self._recognitions += 1
        return Outputs(self._types, recognition, self._bundle.space.tag, self.settings.frame_id)

    def _report_on(self, status: SensorStatus, lost: Callable[[str], int]) -> Report:
        encoders = self._encoders.get(status.sensor, 0)
        report = sensor_report(status, {"encoders": encoders, "lost": lost(status.sensor)})
        if encoders < 2:
            return report
        warning = f"{report.message}; {encoders} encoders publish under this name: give each its own"
        return replace(report, message=warning, level=Level.WARN)

    def _own_report(self, statuses: Sequence[SensorStatus]) -> Report:
        live = [status.sensor for status in statuses if status.state is SensorState.LIVE]
        return Report(
            "recognition",
            Level.OK if live else Level.WARN,
            f"live: {', '.join(live)}" if live else "no live sensor",
            {
                "bundle": self._bundle.name,
                "space": self._bundle.space.id,
                "live": len(live),
                "known": len(statuses),
                "recognitions": self._recognitions,
                "step_ms": self._step_ms,
                "failures": self._failures,
            },
        )

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # whatever it was, the next message deserves a living process
            self._failures += 1
            self._log.warning("failure", f"fusion: {type(error).__name__}: {error}", exc_info=True)
