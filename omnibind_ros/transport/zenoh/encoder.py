"""The process of one sensor without ROS 2: subscribes to its driver, publishes its embeddings.

    driver's topic -> Driver -> EncoderRuntime (its thread) -> omnibind/<sensor>/embedding

Fusion learns of a stop at once: the goodbye and the end of the publisher's token come before anything else.
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Any

from omnibind_ros.config.robot import RobotConfig
from omnibind_ros.config.settings import EncoderSettings
from omnibind_ros.encoder.runtime import EncoderRuntime
from omnibind_ros.messages.cdr import TYPES
from omnibind_ros.messages.diagnostics import encode_diagnostics, reporter_name
from omnibind_ros.messages.topics import DIAGNOSTICS as DIAGNOSTICS_TOPIC
from omnibind_ros.messages.topics import embedding_topic
from omnibind_ros.process.throttled_log import ThrottledLog
from omnibind_ros.transport.zenoh.driver import Driver
from omnibind_ros.transport.zenoh.node import Node
from omnibind_ros.transport.zenoh.qos import DIAGNOSTICS, EMBEDDING
from omnibind_ros.transport.zenoh.session import Network
from omnibind_ros.transport.zenoh.subscription import MessageInfo

_REPORT_PERIOD_S = 1.0

_log = logging.getLogger(__name__)


class EncoderProcess:
    """Runs the encoder of `robot.sensors[sensor]` from its making to `close`, on threads of its own.

    Raises:
        OmniBindError: whatever is wrong with the robot, its bundle or the network.
    """

    def __init__(
        self, robot: RobotConfig, sensor: str, *, network: Network | None = None, domain: int | None = None
    ) -> None:
        self._encoder = EncoderRuntime(EncoderSettings.of(robot, sensor), TYPES)
        self._closing = False
        self._news = threading.Event()
        throttled = ThrottledLog(_log)
        self._node = Node(
            f"encoder_{sensor}",
            robot.namespace,
            domain,
            network,
            on_error=lambda where, error: throttled.warning(where, f"{where}: {error}"),
        )
        self._embeddings = self._node.publisher(
            embedding_topic(sensor), "sensor_msgs/msg/PointCloud2", EMBEDDING
        )
        self._reports = self._node.publisher(
            DIAGNOSTICS_TOPIC, "diagnostic_msgs/msg/DiagnosticArray", DIAGNOSTICS
        )
        self._encoder.start(self._embeddings.publish, self._news.set)
        self._driver = Driver(
            self._node,
            self._encoder.settings.topic,
            self._encoder.accepted_types,
            self._receive,
            self._encoder.driver,
            keep="all" if self._encoder.streams else "newest",
            depth=self._encoder.queue_depth,
        )
        self._reporter = threading.Thread(target=self._report, name="diagnostics", daemon=True)
        self._reporter.start()

    def close(self) -> None:
        """Say goodbye, leave the graph, and free the model. Idempotent."""
        if self._closing:
            return
        self._closing = True
        self._news.set()
        self._reporter.join()
        self._encoder.stop()
        self._embeddings.close()
        self._driver.close()
        self._node.close()
        self._encoder.close()

    def __enter__(self) -> EncoderProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _receive(self, message: Any, info: MessageInfo) -> None:
        self._encoder.receive(message, info.lost)

    def _report(self) -> None:
        reporter = reporter_name(self._node.id.name, self._node.namespace)
        while not self._closing:
            counts = self._driver.counts
            values = {"lost": counts.lost, "malformed": counts.malformed}
            report = self._encoder.report(self._driver.problem, values)
            self._reports.publish(encode_diagnostics(TYPES, time.time_ns(), reporter, [report]))
            self._news.wait(_REPORT_PERIOD_S)
            self._news.clear()
