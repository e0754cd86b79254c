"""One sensor's encoder as both shells run it: raw messages in, embeddings and goodbyes out.

    __init__  the model is loaded
    start     a worker thread encodes what `receive` takes, and `send`s PointCloud2 messages
    stop      a goodbye, and the thread ends; it may be started again
    close     the model is freed

A shell subscribes, publishes, and says whether a driver is there. Nothing here knows how.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from omnibind_ros.bundle.loading import Bundle
from omnibind_ros.config.settings import EncoderSettings
from omnibind_ros.encoder.driver_watch import DriverTimeout
from omnibind_ros.encoder.intake import BoundedQueue, NewestSlot
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.encoder.status import EncoderStatus
from omnibind_ros.encoder.worker import EncoderWorker, Received
from omnibind_ros.engines.engine import EngineOptions
from omnibind_ros.errors import ConfigError
from omnibind_ros.messages.diagnostics import Report, sensor_report
from omnibind_ros.messages.embedding_cloud import encode_embedding, encode_goodbye
from omnibind_ros.messages.input_types import INPUT_TYPES
from omnibind_ros.messages.types import MessageTypes
from omnibind_ros.names import nearest
from omnibind_ros.types import Embedding, SensorState

_log = logging.getLogger(__name__)


class EncoderRuntime:
    """The encoder of `settings.sensor`; start, stop and close it from one thread.

    Args:
        types: message classes of the shell.
        clock: ns since the epoch (ROS time under ROS 2).

    Attributes:
        accepted_types: message types that can be read.
        streams: messages must not be lost; else the newest is enough.

    Raises:
        OmniBindError: whatever is wrong with the settings, the bundle or the backend.
    """

    def __init__(
        self, settings: EncoderSettings, types: MessageTypes, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self.settings = settings
        self._types = types
        self._clock = clock
        self._encoder = _open_encoder(settings)
        self.accepted_types = _accepted_types(settings, self._encoder)
        self.streams = self._encoder.adaptor.stream
        self._speaking = threading.Lock()
        self._worker: EncoderWorker | None = None

    def start(self, send: Callable[[Any], None], on_news: Callable[[], None] = lambda: None) -> None:
        """Begin to encode.

        Args:
            send: publishes a `sensor_msgs/PointCloud2`; called on the worker's thread, and by `stop` on the
                caller's, never by two at once.
            on_news: told when the state has changed, on any thread; for diagnostics.
        """
        self._send = send
        self._on_news = on_news
        self._intake = BoundedQueue[Received](self.queue_depth) if self.streams else NewestSlot[Received]()
        self._driver_present = False
        self._driver_left = False
        self._talking = False
        self._latest: Embedding | None = None
        self._encoder.restart()
        self._worker = EncoderWorker(
            self._encoder,
            self._intake,
            self._publish,
            self._goodbye,
            self._clock,
            driver_timeout=self._driver_timeout(),
        )
        self._status = EncoderStatus(self._worker)
        self._worker.start()

    def stop(self) -> None:
        """Say goodbye and encode no more. Idempotent."""
        if self._worker is None:
            return
        worker, self._worker = self._worker, None
        self._goodbye("its encoder stops")
        with self._speaking:
            self._send = _unheard
        worker.stop()

    def close(self) -> None:
        """Stop, and free the model."""
        self.stop()
        self._encoder.close()

    def apply(self, settings: EncoderSettings) -> None:
        """Settings that may change while it runs: how long a driver may be silent."""
        self.settings = settings
        if self._worker is not None:
            self._worker.driver_timeout = self._driver_timeout()

    # From the driver

    def receive(self, message: Any, lost: int = 0) -> None:
        """Take a message, on any one thread; returns at once. `lost`: how many before it never arrived."""
        if lost and self.streams:
            self._intake.count_lost(lost)
        if self._worker is not None:
            self._worker.receive(message)

    def driver(self, present: bool) -> None:
        """A driver is there, or none is any more."""
        _log.info("%s: its driver %s", self.settings.sensor, "is there" if present else "is gone")
        with self._speaking:
            self._driver_present = present
            # What is held until replaced (a typed sentence) stays said when its speaker leaves.
            self._driver_left = not present and not self._driver_timeout().never
        if self._driver_left:
            self._goodbye("its driver is gone")
        self._on_news()

    # To whoever looks after the robot

    def report(self, problem: str = "", values: Mapping[str, object] | None = None) -> Report:
        """How the encoder fares, while it is started.

        Args:
            problem: why what is published by its driver cannot be read at all.
            values: what the shell knows besides.
        """
        status = self._status.look(driver_present=self._driver_present, problem=problem)
        if status.state is SensorState.LOST:
            status = replace(status, reason=f"waits for its driver on {self.settings.topic}")
        latest = self._latest
        if latest is not None:
            age_s = (self._clock() - latest.stamp) / 1e9
            status = replace(status, age_s=age_s, quality=latest.quality)
        return sensor_report(status, {**self._status.values(), **(values or {})})

    @property
    def queue_depth(self) -> int:
        """How many messages may wait."""
        return (self.settings.queue_depth or 50) if self.streams else 1

    # To fusion

    def _publish(self, embedding: Embedding) -> None:
        message = encode_embedding(self._types, embedding)
        self._latest = embedding
        with self._speaking:
            # A sample that was still in work when its driver left would bring the sensor back.
            if not self._driver_left:
                self._send(message)
        if not self._talking:
            self._talking = True
            self._on_news()

    def _goodbye(self, reason: str) -> None:
        _log.info("%s says goodbye: %s", self.settings.sensor, reason)
        frame_id = self.settings.frame_id or ""
        message = encode_goodbye(self._types, self.settings.modality, self._clock(), frame_id)
        with self._speaking:
            self._send(message)
        self._talking = False
        self._on_news()

    def _driver_timeout(self) -> DriverTimeout:
        return DriverTimeout(self.settings.effective_driver_timeout_s(), self.settings.driver_periods)


def _unheard(message: Any) -> None:
    """Where the last sample goes that was in work when the encoder stopped."""


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
    readable = INPUT_TYPES[encoder.adaptor.modality]
    if settings.message_type == "auto":
        return readable
    if settings.message_type not in readable:
        raise ConfigError(
            f"sensors.{encoder.sensor}.message_type: a sensor of modality {settings.modality!r} does not "
            f"read {settings.message_type}{nearest(settings.message_type, ('auto', *readable))}"
        )
    return (settings.message_type,)
