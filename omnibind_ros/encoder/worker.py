"""The one inference thread of a sensor encoder, the same in both shells.

    subscription thread: worker.receive(message)  ->  intake  ->  worker thread: decode, encode, publish

The subscription only hands over. The worker encodes the newest complete sample, says goodbye once when
there is nothing valid any more or the driver falls silent, and survives whatever a message or a publisher
does to it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any, NamedTuple

from omnibind_ros.encoder.driver_watch import DriverTimeout, DriverWatch
from omnibind_ros.encoder.intake import BoundedQueue
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.errors import BadMessage
from omnibind_ros.modalities.preprocessor import Sample
from omnibind_ros.process.throttled_log import ThrottledLog
from omnibind_ros.types import Embedding

_LONGEST_SLEEP_S = 1.0
"""so that a time-out which was changed is obeyed"""

log = logging.getLogger(__name__)


class Received(NamedTuple):
    """A message and when it came: ns since the epoch, and seconds of the steady clock."""

    message: Any
    stamp: int
    at: float


class EncoderWorker:
    """Runs a `SensorEncoder` on its own thread from `start` to `stop`.

    Args:
        encoder: used by the worker's thread alone from now on; closed by whoever made it.
        intake: `NewestSlot` for a single-shot modality, `BoundedQueue` for a stream.
        publish: sends an embedding; called on the worker's thread.
        goodbye: says that nothing valid is here any more, and why; called on the worker's thread.
        clock: ns since the epoch (ROS time under ROS 2).
        driver_timeout: when a driver counts as silent.
        steady: seconds that never jump; silence is measured on it even while ROS time stands still.
    """

    def __init__(
        self,
        encoder: SensorEncoder,
        intake: BoundedQueue[Received],
        publish: Callable[[Embedding], None],
        goodbye: Callable[[str], None],
        clock: Callable[[], int],
        *,
        driver_timeout: DriverTimeout | None = None,
        steady: Callable[[], float] = monotonic,
    ) -> None:
        self.encoder = encoder
        self.failures = 0
        """unexpected exceptions so far"""
        self.last_failure = ""
        self._intake = intake
        self._publish = publish
        self._goodbye = goodbye
        self._clock = clock
        self._steady = steady
        self._watch = DriverWatch(driver_timeout or DriverTimeout())
        self._lost = 0
        self._present = False
        self._log = ThrottledLog(log)
        self._thread = threading.Thread(target=self._work, name=f"encoder_{encoder.sensor}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float | None = 5.0) -> bool:
        """Finish the sample in work and end; True if the thread has ended within `timeout` seconds."""
        self._intake.close()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def receive(self, message: Any) -> None:
        """Take a message from the subscription; returns at once."""
        self._intake.put(Received(message, self._clock(), self._steady()))

    @property
    def dropped(self) -> int:
        """Messages lost because they came faster than they could be decoded."""
        return self._intake.dropped

    @property
    def driver_alive(self) -> bool:
        """Messages come."""
        return self._watch.alive

    @property
    def driver_timeout(self) -> DriverTimeout:
        """When a driver counts as silent; may be changed at any time."""
        return self._watch.timeout

    @driver_timeout.setter
    def driver_timeout(self, timeout: DriverTimeout) -> None:
        self._watch.timeout = timeout

    @property
    def driver_period_s(self) -> float:
        """Measured message period, 0 before two messages."""
        return self._watch.period_s

    def _work(self) -> None:
        while not self._intake.closed:
            patience = self._watch.patience(self._steady())
            batch = self._intake.get(
                _LONGEST_SLEEP_S if patience is None else min(patience, _LONGEST_SLEEP_S)
            )
            try:
                if batch:
                    self._encode_newest(batch)
                elif self._watch.fell_silent(self._steady()):
                    self._bid_goodbye()
            except Exception as error:  # whatever it was, the next message deserves a living thread
                self._count_failure(error)

    def _encode_newest(self, batch: list[Received]) -> None:
        self._restart_after_loss()
        newest: Sample | None = None
        for index, received in enumerate(batch):
            self._watch.heard(received.at)
            for sample in self._decode(received):
                if newest is not None:
                    self.encoder.counters.skipped += 1
                newest = sample
            if newest is not None and index + 1 < len(batch):
                newest = replace(newest, data=newest.data.copy())
        if newest is None:
            return
        embedding = self.encoder.encode(newest)
        if embedding is not None:
            self._publish(embedding)
            self._present = True
        elif self._present:
            # A covered lens or silence must not leave the last good answer standing until it goes stale.
            self._present = False
            self._goodbye(self.encoder.counters.empty_reason)

    def _decode(self, received: Received) -> list[Sample]:
        try:
            samples = self.encoder.decode(received.message, received.stamp)
        except BadMessage as error:
            self._log.warning("bad message", f"{self.encoder.sensor}: message dropped: {error}")
            return []
        except Exception as error:  # the other messages of the batch are still good
            self._count_failure(error)
            return []
        offset = self.encoder.counters.stamp_offset_s
        if offset is not None:
            self._log.warning(
                "stamps",
                f"{self.encoder.sensor}: its driver's stamps are {offset:+.1f} s off; samples are stamped on "
                "receipt instead; set the driver's clock",
            )
        return samples

    def _count_failure(self, error: Exception) -> None:
        self.failures += 1
        self.last_failure = f"{type(error).__name__}: {error}"
        self._log.warning("failure", f"{self.encoder.sensor}: {self.last_failure}", exc_info=True)

    def _restart_after_loss(self) -> None:
        lost = self._intake.dropped - self._lost
        if lost:
            self._lost += lost
            self.encoder.restart(lost)

    def _bid_goodbye(self) -> None:
        self.encoder.restart()
        self._present = False
        self._goodbye("driver is silent")
