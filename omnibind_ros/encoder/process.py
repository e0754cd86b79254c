"""The encoder of one sensor: subscribes to its driver, publishes its embeddings, over any transport.

driver's topic -> Driver -> Intake -> EncoderWorker (one thread) -> omnibind/<sensor>/embedding

__init__  the model is loaded
start     publisher, subscription and worker thread come into being
stop      a withdrawal, then all of these end; it may be started again
close     the model is freed
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.config.settings import EncoderSettings
from omnibind_ros.encoder.driver import Driver
from omnibind_ros.encoder.driver_watch import DriverTimeout
from omnibind_ros.encoder.intake import NEWEST_ONLY, Intake, Limits
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.encoder.status import EncoderStatus
from omnibind_ros.encoder.worker import EncoderWorker
from omnibind_ros.engines.engine import EngineOptions
from omnibind_ros.errors import ConfigError
from omnibind_ros.messages.diagnostics import Level, Report, sensor_report
from omnibind_ros.messages.embedding_cloud import encode_embedding, encode_withdrawal
from omnibind_ros.messages.topics import embedding_topic
from omnibind_ros.modalities.registry import definition
from omnibind_ros.names import nearest
from omnibind_ros.transport.protocol import Publisher, Transport
from omnibind_ros.transport.qos import EMBEDDING
from omnibind_ros.types import Embedding, SensorState

_log = logging.getLogger(__name__)

_STREAM_DEPTH = 1000
"""Messages of a stream that may wait in the transport, whose thread only hands over: a second at 1 kHz."""


class EncoderProcess:
    """Encodes `settings.sensor`. Start, stop and close it from one thread.

    Attributes:
        settings: in force; `CHANGEABLE` ones may change while it runs.
        on_news: called when the state has changed, on any thread; for diagnostics.

    Raises:
        OmniBindError: whatever is wrong with the settings, the bundle or the backend.
    """

    CHANGEABLE: tuple[str, ...] = ("driver_timeout_s", "driver_periods")

    def __init__(self, settings: EncoderSettings, transport: Transport) -> None:
        self.settings = settings
        self.on_news: Callable[[], None] = lambda: None
        self._transport = transport
        self._encoder = _open_encoder(settings)
        self._accepted = _accepted_types(settings, self._encoder)
        self._sending = threading.Lock()
        self._worker: EncoderWorker | None = None

    def start(self) -> None:
        """Begin to encode; after an error nothing runs.

        Raises:
            ConfigError: a topic name is not valid, or a message package is not installed.
        """
        sensor, transport = self.settings.sensor, self._transport
        streams = self._encoder.adaptor.stream
        self._driver_left = self._stopped = self._live = False
        self._left_at = -math.inf
        self._latest: Embedding | None = None
        self._encoder.restart()
        with transport.exclusive():
            self._embeddings = transport.publisher(
                embedding_topic(sensor), "sensor_msgs/msg/PointCloud2", EMBEDDING
            )
            self._misplaced = _misplaced(self._embeddings, transport, sensor)
            worker = EncoderWorker(
                self._encoder,
                Intake(_limits(self.settings) if streams else NEWEST_ONLY),
                self._publish,
                self._withdraw,
                transport.now,
                driver_timeout=self._driver_timeout(),
            )
            self._status = EncoderStatus(worker)
            try:
                self._driver = Driver(
                    transport,
                    self.settings.topic,
                    self._accepted,
                    self._receive,
                    self._on_presence,
                    streams=streams,
                    depth=_STREAM_DEPTH if streams else 1,
                )
            except BaseException:
                self._embeddings.close()
                raise
            worker.start()
            self._worker = worker

    def stop(self) -> None:
        """Publish a withdrawal first, then encode no more. Idempotent."""
        if self._worker is None:
            return
        worker, self._worker = self._worker, None
        with self._sending:
            self._send_withdrawal("the encoder stops")
            self._stopped = True
        self._embeddings.close()
        with self._transport.exclusive():
            self._driver.close()
        worker.stop()

    def close(self) -> None:
        """Stop, and free the model."""
        self.stop()
        self._encoder.close()

    @property
    def name(self) -> str:
        """That of its node."""
        return f"encoder_{self.settings.sensor}"

    def apply(self, settings: EncoderSettings) -> None:
        """Take over the changeable ones of other settings."""
        changed = {key: getattr(settings, key) for key in self.CHANGEABLE}
        self.settings = self.settings.model_copy(update=changed)
        if self._worker is not None:
            self._worker.driver_timeout = self._driver_timeout()

    def reports(self) -> list[Report]:
        """The state of the sensor, for diagnostics; none while it is stopped."""
        return [] if self._worker is None else [self._report()]

    def _report(self) -> Report:
        driver = self._driver
        status = self._status.look(driver_present=driver.present, problem=driver.problem)
        if status.state is SensorState.LOST:
            status = replace(status, reason=f"waits for a driver on {self.settings.topic}")
        latest = self._latest
        if latest is not None:
            age_s = (self._transport.now() - latest.stamp) / 1e9
            status = replace(status, age_s=age_s, quality=latest.quality)
        values = {"lost": driver.lost, "malformed": driver.malformed + self._status.malformed}
        report = sensor_report(status, {**self._status.values(), **values})
        warning = self._misplaced or driver.warning
        if not warning:
            return report
        level = Level.WARN if report.level is Level.OK else report.level
        return replace(report, level=level, message=f"{report.message}; {warning}")

    # From the driver, on the transport's threads

    def _receive(self, payload: bytes, type_name: str, lost: int) -> None:
        stamp, worker = self._transport.now(), self._worker
        if worker is not None and stamp:  # without a time an embedding has no stamp
            worker.receive(payload, type_name, stamp, lost)

    def _on_presence(self, present: bool) -> None:
        _log.info("%s: its driver %s", self.settings.sensor, "is there" if present else "is gone")
        with self._sending:
            # What is held until replaced (a typed sentence) outlives its publisher.
            self._driver_left = not present and not self._driver_timeout().never
            if self._driver_left:
                self._left_at = monotonic()
                self._send_withdrawal("its driver is gone")
        self.on_news()

    # To fusion, on the worker's thread

    def _publish(self, embedding: Embedding, received: float) -> None:
        message = encode_embedding(embedding)
        with self._sending:
            # A sample that was in work when its driver left or the encoder stopped must not follow the
            # withdrawal, even if another driver is there by now.
            if self._driver_left or self._stopped or received < self._left_at:
                return
            self._latest = embedding
            self._send(message)
        if not self._live:
            self._live = True
            self.on_news()

    def _withdraw(self, reason: str) -> None:
        with self._sending:
            if self._stopped:
                return
            self._send_withdrawal(reason)
        self.on_news()

    def _send_withdrawal(self, reason: str) -> None:
        _log.info("%s: withdrawal: %s", self.settings.sensor, reason)
        self._live = False
        frame_id = self.settings.frame_id or ""
        self._send(encode_withdrawal(self.settings.modality, self._transport.now(), frame_id))

    def _send(self, message: Any) -> None:
        try:
            self._embeddings.publish(message)
        except (
            Exception
        ) as error:  # a network that fails must not end the worker, nor keep others from leaving
            self._transport.report_error(self._embeddings.topic, error)

    def _driver_timeout(self) -> DriverTimeout:
        return DriverTimeout(self.settings.effective_driver_timeout_s(), self.settings.driver_periods)


def _open_encoder(settings: EncoderSettings) -> SensorEncoder:
    return SensorEncoder.open(
        Bundle.load(settings.bundle),
        settings.sensor,
        settings.modality,
        options=settings.options,
        engine=EngineOptions(**settings.engine),
        frame_id=settings.frame_id,
        max_stamp_skew_s=settings.max_stamp_skew_s,
    )


def _accepted_types(settings: EncoderSettings, encoder: SensorEncoder) -> tuple[str, ...]:
    readable = definition(encoder.adaptor.modality).reads
    if settings.message_type == "auto":
        return readable
    if settings.message_type not in readable:
        raise ConfigError(
            f"sensors.{encoder.sensor}.message_type: a sensor of modality {settings.modality!r} does not "
            f"read {settings.message_type}{nearest(settings.message_type, ('auto', *readable))}"
        )
    return (settings.message_type,)


def _limits(settings: EncoderSettings) -> Limits:
    return Limits(settings.queue_s, settings.queue_mb * 1e6, settings.queue_depth or float("inf"))


def _misplaced(embeddings: Publisher, transport: Transport, sensor: str) -> str:
    """What is wrong if embeddings are remapped to where fusion does not look."""
    expected = transport.full_name(embedding_topic(sensor))
    if embeddings.topic == expected:
        return ""
    warning = f"embeddings are remapped to {embeddings.topic}, fusion reads {expected}: remove the remapping"
    _log.warning("%s: %s", sensor, warning)
    return warning
