"""The process of one sensor: raw messages in, embeddings out, and a goodbye when there is nothing to embed.

    driver's topic -> Driver -> EncoderWorker (its thread) -> omnibind/<sensor>/embedding

Fusion learns of a stop at once: the goodbye and the end of the publisher's token come before anything else.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from types import TracebackType
from typing import Any

from omnibind_ros.config.robot import RobotConfig, SensorConfig
from omnibind_ros.core.embedding import Embedding
from omnibind_ros.core.errors import ConfigError
from omnibind_ros.core.names import nearest
from omnibind_ros.core.sensor_state import SensorState
from omnibind_ros.inference.bundle import Bundle
from omnibind_ros.inference.driver_watch import DriverTimeout
from omnibind_ros.inference.encoder import SensorEncoder
from omnibind_ros.inference.encoder_status import EncoderStatus
from omnibind_ros.inference.encoder_worker import EncoderWorker, Received
from omnibind_ros.inference.intake import BoundedQueue, NewestSlot
from omnibind_ros.inference.throttled_log import ThrottledLog
from omnibind_ros.messages.diagnostics import encode_diagnostics, sensor_report
from omnibind_ros.messages.embedding_cloud import encode_embedding, encode_goodbye
from omnibind_ros.messages.input_types import INPUT_TYPES
from omnibind_ros.messages.topics import DIAGNOSTICS as DIAGNOSTICS_TOPIC
from omnibind_ros.messages.topics import embedding_topic
from omnibind_ros.standalone.driver import Driver
from omnibind_ros.standalone.node import Node
from omnibind_ros.standalone.qos import DIAGNOSTICS, EMBEDDING
from omnibind_ros.standalone.session import Network
from omnibind_ros.standalone.subscription import MessageInfo
from omnibind_ros.standalone.types import TYPES

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
        self._config = robot.sensors[sensor]
        self._encoder = _open_encoder(robot, sensor)
        accepted = _accepted_types(self._config, self._encoder)
        self._intake = _StreamIntake(self._config.queue_depth) if self._streams else NewestSlot[Received]()
        timeout = DriverTimeout.of(robot.fusion.freshness, self._config.modality)
        self._holds = timeout.never
        self._worker = EncoderWorker(
            self._encoder, self._intake, self._publish, self._goodbye, time.time_ns, driver_timeout=timeout
        )
        self._status = EncoderStatus(self._worker)
        self._speaking = threading.Lock()
        self._driver_left = False
        self._talking = False
        self._latest: Embedding | None = None
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
        self._worker.start()
        self._driver = Driver(
            self._node,
            self._config.topic,
            accepted,
            self._receive,
            self._on_driver,
            keep="all" if self._streams else "newest",
            depth=self._config.queue_depth if self._streams else 1,
        )
        self._reporter = threading.Thread(target=self._report, name="diagnostics", daemon=True)
        self._reporter.start()

    def close(self) -> None:
        """Say goodbye, leave the graph, and free the model. Idempotent."""
        if self._closing:
            return
        self._closing = True
        self._goodbye("its encoder stops")
        self._embeddings.close()
        self._news.set()
        self._reporter.join()
        self._driver.close()
        self._worker.stop()
        self._node.close()
        self._encoder.close()

    def __enter__(self) -> EncoderProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _streams(self) -> bool:
        return self._encoder.adaptor.stream

    # From the driver

    def _receive(self, message: Any, info: MessageInfo) -> None:
        if isinstance(self._intake, _StreamIntake):
            self._intake.lost_before += info.lost
        self._worker.receive(message)

    def _on_driver(self, present: bool) -> None:
        _log.info("%s: its driver %s", self._encoder.sensor, "is there" if present else "is gone")
        with self._speaking:
            # What is held until replaced (a typed sentence) stays said when its speaker leaves.
            self._driver_left = not present and not self._holds
        if self._driver_left:
            self._goodbye("its driver is gone")
        self._news.set()

    # To fusion

    def _publish(self, embedding: Embedding) -> None:
        message = encode_embedding(TYPES, embedding)
        self._latest = embedding
        with self._speaking:
            # A sample that was still in work when its driver left would bring the sensor back.
            if not self._driver_left:
                self._embeddings.publish(message)
        if not self._talking:
            self._talking = True
            self._news.set()

    def _goodbye(self, reason: str) -> None:
        _log.info("%s says goodbye: %s", self._encoder.sensor, reason)
        message = encode_goodbye(TYPES, self._config.modality, time.time_ns(), self._config.frame_id or "")
        with self._speaking:
            self._embeddings.publish(message)
        self._talking = False
        self._news.set()

    # To whoever looks after the robot

    def _report(self) -> None:
        while not self._closing:
            self._publish_report()
            self._news.wait(_REPORT_PERIOD_S)
            self._news.clear()

    def _publish_report(self) -> None:
        status = self._status.look(driver_present=self._driver.present, problem=self._driver.problem)
        if status.state is SensorState.LOST:
            status = replace(status, reason=f"waits for its driver on {self._config.topic}")
        now, latest, counts = time.time_ns(), self._latest, self._driver.counts
        if latest is not None:
            status = replace(status, age_s=(now - latest.stamp) / 1e9, quality=latest.quality)
        values = {**self._status.values(), "lost": counts.lost, "malformed": counts.malformed}
        report = replace(sensor_report(status, values), name=f"{self._node.id.name}: {status.sensor}")
        self._reports.publish(encode_diagnostics(TYPES, now, [report]))


class _StreamIntake(BoundedQueue[Received]):
    """Counts chunks that were lost on their way as its own drops: after either, a new window begins."""

    lost_before = 0

    @property
    def dropped(self) -> int:
        return super().dropped + self.lost_before


def _open_encoder(robot: RobotConfig, sensor: str) -> SensorEncoder:
    config, shared = robot.sensors[sensor], robot.encoders
    bundle = Bundle.load(robot.bundle)
    return SensorEncoder.open(
        bundle,
        sensor,
        config.modality,
        options=config.options,
        **shared.engine,
        frame_id=config.frame_id,
        max_stamp_skew_s=shared.max_stamp_skew_s,
    )


def _accepted_types(config: SensorConfig, encoder: SensorEncoder) -> tuple[str, ...]:
    readable = INPUT_TYPES[encoder.adaptor.modality]
    if config.message_type == "auto":
        return readable
    if config.message_type not in readable:
        raise ConfigError(
            f"sensors.{encoder.sensor}.message_type: a sensor of modality {config.modality!r} does not read "
            f"{config.message_type}{nearest(config.message_type, ('auto', *readable))}"
        )
    return (config.message_type,)
