"""The fusion process without ROS 2: every encoder's embeddings in, one recognition out, whoever is there.

    EmbeddingFeed (threads) -> inbox -> the fusion thread: FusionRuntime -> recognition, contributions, ...

The fusion thread alone touches the runtime. It sleeps until something arrives or is due. The inbox is short:
when fusion is slow, feeds wait and newer messages replace older ones.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from contextlib import suppress
from types import TracebackType

from omnibind_ros.config.robot import RobotConfig
from omnibind_ros.config.settings import FusionSettings
from omnibind_ros.fusion.runtime import FusionRuntime, Outputs
from omnibind_ros.messages import topics
from omnibind_ros.messages.cdr import TYPES
from omnibind_ros.messages.diagnostics import encode_diagnostics, reporter_name
from omnibind_ros.process.throttled_log import ThrottledLog
from omnibind_ros.transport.zenoh.embedding_feed import (
    EmbeddingFeed,
    Encoders,
    Event,
    Heard,
    Refused,
)
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.qos import DIAGNOSTICS, EMBEDDING, LATCHED, recognition_qos
from omnibind_ros.transport.zenoh.session import Network

_INBOX = 64
_REPORT_PERIOD_S = 1.0

_log = logging.getLogger(__name__)


class FusionProcess:
    """Runs fusion as the robot file says from its making to `close`, on threads of its own.

    Raises:
        OmniBindError: whatever is wrong with the robot, its bundle or the network.
    """

    def __init__(
        self, robot: RobotConfig, *, network: Network | None = None, domain: int | None = None
    ) -> None:
        self._fusion = FusionRuntime(FusionSettings.of(robot), TYPES)
        self._inbox: queue.Queue[Event | None] = queue.Queue(_INBOX)
        self._report_due = 0.0
        self._closing = False
        self._log = ThrottledLog(_log)

        self._node = Node("fusion", robot.namespace, domain, network, on_error=self._on_error)
        self._reporter = reporter_name("fusion", robot.namespace)
        publisher = self._node.publisher
        classification, qos = "vision_msgs/msg/Classification", recognition_qos(robot.fusion.rate_hz)
        self._recognition = publisher(topics.RECOGNITION, classification, qos)
        self._contributions = publisher(topics.CONTRIBUTIONS, classification, qos)
        self._fused = publisher(topics.FUSED_EMBEDDING, "sensor_msgs/msg/PointCloud2", EMBEDDING)
        self._labels = publisher(topics.LABELS, "vision_msgs/msg/LabelInfo", LATCHED)
        self._reports = publisher(topics.DIAGNOSTICS, "diagnostic_msgs/msg/DiagnosticArray", DIAGNOSTICS)
        self._labels.publish(self._fusion.label_info())
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
                self._take(event)
            outputs = self._fusion.step()
            try:
                if outputs:
                    self._publish(outputs)
                if self._fusion.take_news() or time.monotonic() >= self._report_due:
                    self._report()
            except Exception as error:  # the network may fail for a while
                self._log.warning("publish", f"fusion: {type(error).__name__}: {error}", exc_info=True)

    def _next_events(self) -> list[Event]:
        """Sleep until something arrives or is due; then what has arrived."""
        patience_s = min(self._fusion.patience_s(), max(0.0, self._report_due - time.monotonic()))
        events: list[Event | None] = []
        try:
            events.append(self._inbox.get(timeout=patience_s))
            while len(events) < _INBOX:
                events.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return [event for event in events if event is not None]

    def _take(self, event: Event) -> None:
        if isinstance(event, Heard):
            self._fusion.hear(event.sensor, event.message)
        elif isinstance(event, Encoders):
            self._fusion.count_encoders(event.sensor, event.count)
        else:
            self._fusion.refuse(event.sensor, event.reason)

    def _publish(self, outputs: Outputs) -> None:
        self._recognition.publish(outputs.recognition())
        self._contributions.publish(outputs.contributions())
        self._fused.publish(outputs.fused())

    def _report(self) -> None:
        self._report_due = time.monotonic() + _REPORT_PERIOD_S
        reports = self._fusion.reports(self._feed.lost)
        self._reports.publish(encode_diagnostics(TYPES, time.time_ns(), self._reporter, reports))
