"""The fusion process: every encoder's embeddings in, one recognition out, whoever is there.

    EmbeddingFeed (threads) -> inbox -> the fusion thread: hub, schedule -> recognition, contributions, ...

The fusion thread alone touches the hub. It sleeps until something arrives, a sensor goes stale, or a
publication is due. The inbox is short: when fusion is slow, feeds wait and newer messages replace older ones.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import TracebackType

from omnibind_ros.config.robot import RobotConfig
from omnibind_ros.core.errors import BadMessage
from omnibind_ros.core.sensor_state import SensorState, SensorStatus
from omnibind_ros.fusion.open_hub import open_hub, open_label_bank
from omnibind_ros.fusion.rate import PublishSchedule
from omnibind_ros.inference.bundle import Bundle
from omnibind_ros.inference.throttled_log import ThrottledLog
from omnibind_ros.messages import topics
from omnibind_ros.messages.classification import encode_contributions, encode_recognition
from omnibind_ros.messages.diagnostics import Level, Report, encode_diagnostics, sensor_report
from omnibind_ros.messages.embedding_cloud import decode_embedding, encode_fused
from omnibind_ros.messages.label_info import encode_label_info
from omnibind_ros.standalone.embedding_feed import EmbeddingFeed, Encoders, Event, Heard, Refused
from omnibind_ros.standalone.node import Node
from omnibind_ros.standalone.qos import DIAGNOSTICS, EMBEDDING, LATCHED, recognition_qos
from omnibind_ros.standalone.session import Network
from omnibind_ros.standalone.types import TYPES

_INBOX = 64
_REPORT_PERIOD_NS = 1_000_000_000

_log = logging.getLogger(__name__)


class FusionProcess:
    """Runs fusion as the robot file says from its making to `close`, on threads of its own.

    Raises:
        OmniBindError: whatever is wrong with the robot, its bundle or the network.
    """

    def __init__(
        self, robot: RobotConfig, *, network: Network | None = None, domain: int | None = None
    ) -> None:
        config = robot.fusion
        self._bundle = Bundle.load(robot.bundle)
        labels = open_label_bank(self._bundle)
        self._hub = open_hub(self._bundle, labels, config)
        self._schedule = PublishSchedule(config.rate_hz, config.max_rate_hz)
        self._frame_id = config.frame_id
        self._encoders: dict[str, int] = {}
        self._inbox: queue.Queue[Event | None] = queue.Queue(_INBOX)
        self._report_due = 0
        self._recognitions = 0
        self._failures = 0
        self._step_ms = 0.0
        self._closing = False
        self._log = ThrottledLog(_log)

        self._node = Node("fusion", robot.namespace, domain, network, on_error=self._on_error)
        classification, qos = "vision_msgs/msg/Classification", recognition_qos(config.rate_hz)
        publisher = self._node.publisher
        self._recognition = publisher(topics.RECOGNITION, classification, qos)
        self._contributions = publisher(topics.CONTRIBUTIONS, classification, qos)
        self._fused = publisher(topics.FUSED_EMBEDDING, "sensor_msgs/msg/PointCloud2", EMBEDDING)
        self._labels = publisher(topics.LABELS, "vision_msgs/msg/LabelInfo", LATCHED)
        self._reports = publisher(topics.DIAGNOSTICS, "diagnostic_msgs/msg/DiagnosticArray", DIAGNOSTICS)
        self._labels.publish(
            encode_label_info(
                TYPES, labels.names, self._hub.unknown_threshold, time.time_ns(), config.frame_id
            )
        )
        self._feed = EmbeddingFeed(self._node, self._put)
        self._thread = threading.Thread(target=self._run, name="fusion", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and leave the graph. Idempotent."""
        if self._closing:
            return
        self._closing = True
        with suppress(queue.Full):  # then it is not asleep
            self._inbox.put_nowait(None)
        self._thread.join()
        self._feed.close()
        self._node.close()

    def __enter__(self) -> FusionProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # Into the inbox, from any thread

    def _put(self, event: Event) -> None:
        while not self._closing:
            try:
                self._inbox.put(event, timeout=0.1)
                return
            except queue.Full:
                continue

    def _on_error(self, where: str, error: Exception) -> None:
        self._log.warning(where, f"{where}: {error}")
        sensor = topics.sensor_of_embedding_topic(where)
        if sensor is not None:
            self._put(Refused(sensor, str(error)))

    # The fusion thread

    def _run(self) -> None:
        while not self._closing:
            for event in self._next_events():
                self._survive(self._take, event)
            self._survive(self._note_changes)
            self._survive(self._publish_recognition)
            self._survive(self._publish_report)

    def _survive(self, work: Callable[..., None], *arguments: Event) -> None:
        try:
            work(*arguments)
        except Exception as error:  # whatever it was, the next message deserves a living thread
            self._failures += 1
            self._log.warning("failure", f"fusion: {type(error).__name__}: {error}", exc_info=True)

    def _next_events(self) -> list[Event]:
        """Sleep until something arrives or is due; then what has arrived."""
        events: list[Event | None] = []
        try:
            events.append(self._inbox.get(timeout=self._patience_s()))
            while len(events) < _INBOX:
                events.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return [event for event in events if event is not None]

    def _patience_s(self) -> float:
        steady, now = time.monotonic_ns(), time.time_ns()
        wait = min(self._schedule.due_at(steady), self._report_due) - steady
        expiry = self._hub.live_set.next_expiry(now)
        if expiry is not None:
            wait = min(wait, expiry - now)
        return max(0, wait) / 1e9

    def _take(self, event: Event) -> None:
        now = time.time_ns()
        if isinstance(event, Heard):
            self._hear(event, now)
        elif isinstance(event, Encoders):
            self._count_encoders(event, now)
        else:
            self._hub.live_set.reject(event.sensor, event.reason, now)

    def _hear(self, event: Heard, now: int) -> None:
        try:
            embedding = decode_embedding(event.message, event.sensor)
        except BadMessage as error:
            self._hub.live_set.reject(event.sensor, str(error), now)
            return
        if embedding is None:
            modality = event.message.fields[0].name if event.message.fields else ""
            self._hub.live_set.goodbye(event.sensor, now, modality)
        elif self._hub.update(embedding, now):
            self._schedule.news()

    def _count_encoders(self, event: Encoders, now: int) -> None:
        self._report_due = 0
        if event.count:
            self._encoders[event.sensor] = event.count
            self._hub.live_set.appear(event.sensor, "", now)
        else:
            self._encoders.pop(event.sensor, None)
            self._hub.live_set.leave(event.sensor, now)

    def _note_changes(self) -> None:
        changes = self._hub.live_set.advance(time.time_ns())
        for change in changes:
            _log.info("%s is %s: %s", change.sensor, change.after.value, change.reason)
        if changes:
            self._schedule.changed()
            self._report_due = 0

    # Out

    def _publish_recognition(self) -> None:
        steady, now = time.monotonic_ns(), time.time_ns()
        if not self._schedule.is_due(steady):
            return
        self._schedule.published(steady)
        recognition = self._hub.step(now)
        self._step_ms += ((time.monotonic_ns() - steady) / 1e6 - self._step_ms) / 16
        self._recognition.publish(encode_recognition(TYPES, recognition, self._frame_id))
        self._contributions.publish(encode_contributions(TYPES, recognition, self._frame_id))
        self._fused.publish(encode_fused(TYPES, recognition, self._bundle.space.tag, self._frame_id))
        self._recognitions += 1

    def _publish_report(self) -> None:
        steady, now = time.monotonic_ns(), time.time_ns()
        if self._report_due > steady:
            return
        self._report_due = steady + _REPORT_PERIOD_NS
        statuses = self._hub.statuses(now)
        reports = [self._report_on(status) for status in statuses]
        self._reports.publish(encode_diagnostics(TYPES, now, [self._own_report(statuses), *reports]))

    def _report_on(self, status: SensorStatus) -> Report:
        encoders = self._encoders.get(status.sensor, 0)
        report = sensor_report(status, {"encoders": encoders, "lost": self._feed.lost(status.sensor)})
        if encoders < 2:
            return report
        warning = f"{report.message}; {encoders} encoders publish under this name: give each its own"
        return replace(report, message=warning, level=Level.WARN)

    def _own_report(self, statuses: Sequence[SensorStatus]) -> Report:
        live = [status.sensor for status in statuses if status.state is SensorState.LIVE]
        return Report(
            "omnibind: fusion",
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
