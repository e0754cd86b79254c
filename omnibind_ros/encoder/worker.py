"""The one inference thread of a sensor encoder.

    transport's thread: worker.receive(payload)  ->  intake  ->  worker's thread: decode, encode, publish

The transport only hands over; what is overtaken is never decoded. The worker encodes the newest complete
sample, calls `withdraw` once when there is no valid sample any more or the driver is silent, and survives
whatever a message or a publisher does to it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import Any

from omnibind_ros.encoder.driver_watch import DriverTimeout, DriverWatch
from omnibind_ros.encoder.intake import Intake, Received
from omnibind_ros.encoder.sensor_encoder import SensorEncoder
from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.cdr import deserialise
from omnibind_ros.modalities.preprocessor import Sample
from omnibind_ros.process.throttled_log import ThrottledLog
from omnibind_ros.types import Embedding

_LONGEST_SLEEP_S = 1.0
"""so that a changed time-out takes effect"""

log = logging.getLogger(__name__)


class EncoderWorker:
    """Runs a `SensorEncoder` on its own thread from `start` to `stop`.

    Args:
        encoder: used by the worker's thread alone from now on; closed by whoever made it.
        intake: where messages wait.
        publish: sends an embedding; called on the worker's thread, with the time of receipt (`steady`) of the
            message that completed the sample.
        withdraw: called with the reason when nothing valid is there any more; on the worker's thread.
        clock: ns since the epoch (ROS time under ROS 2).
        driver_timeout: when a driver counts as silent.
        steady: seconds that never jump; silence is measured on it even while ROS time stands still.
    """

    def __init__(
        self,
        encoder: SensorEncoder,
        intake: Intake,
        publish: Callable[[Embedding, float], None],
        withdraw: Callable[[str], None],
        clock: Callable[[], int],
        *,
        driver_timeout: DriverTimeout | None = None,
        steady: Callable[[], float] = monotonic,
    ) -> None:
        self.encoder = encoder
        self.failures = 0
        """unexpected exceptions so far"""
        self.last_failure = ""
        self.malformed = 0
        """messages that are no CDR of their type"""
        self._intake = intake
        self._publish = publish
        self._withdraw = withdraw
        self._clock = clock
        self._steady = steady
        self._watch = DriverWatch(driver_timeout or DriverTimeout())
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

    def receive(self, payload: bytes, type_name: str, stamp: int, lost: int = 0) -> None:
        """Take a message as CDR; returns at once.

        Args:
            stamp: when it was received, ns since the epoch.
            lost: messages that are missing just before it.
        """
        self._intake.put(Received(payload, type_name, stamp, self._steady(), lost))

    @property
    def dropped(self) -> int:
        """Messages that were lost, mostly because they came faster than they could be decoded."""
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
                    self._note_silence()
            except Exception as error:  # whatever it was, the thread goes on with the next message
                self._count_failure(error)

    def _encode_newest(self, batch: list[Received]) -> None:
        newest: Sample | None = None
        completed = 0.0
        for index, received in enumerate(batch):
            self._watch.arrived(received.at)
            if received.lost:
                self.encoder.restart(received.lost)
            for sample in self._decode(received):
                if newest is not None:
                    self.encoder.counters.skipped += 1
                newest, completed = sample, received.at
            if newest is not None and index + 1 < len(batch):
                newest = replace(newest, data=newest.data.copy())
        if newest is None:
            return
        embedding = self.encoder.encode(newest)
        if embedding is not None:
            self._publish(embedding, completed)
            self._present = True
        elif self._present:
            # A covered lens or silence must not leave the last good answer standing until it goes stale.
            self._present = False
            self._withdraw(self.encoder.counters.empty_reason)

    def _decode(self, received: Received) -> list[Sample]:
        try:
            message = self._deserialise(received)
            samples = self.encoder.decode(message, received.stamp)
        except BadMessage as error:
            self._log.warning("bad message", f"{self.encoder.sensor}: message dropped: {error}")
            self.encoder.restart()  # what follows does not continue what came before
            return []
        except Exception as error:  # the other messages of the batch are still good
            self._count_failure(error)
            self.encoder.restart()
            return []
        if fault := self.encoder.counters.stamp_fault:
            self._log.warning("stamps", f"{self.encoder.sensor}: {fault}")
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

    def _deserialise(self, received: Received) -> Any:
        try:
            return deserialise(received.payload, received.type_name)
        except BadMessage as error:
            self.malformed += 1
            self.encoder.reject(str(error))
            raise

    def _note_silence(self) -> None:
        self.encoder.restart()
        self._present = False
        self._withdraw("its driver is silent")
