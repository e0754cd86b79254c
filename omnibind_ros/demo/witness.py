"""One vantage point with one clock: writes down when embeddings and answers of a robot arrive.

A shell subscribes and hands over what it hears, on whatever threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from typing import Any

from omnibind_ros.demo.timeline import Answer, Heard, Log
from omnibind_ros.messages.classification import decode_contributions, decode_recognition
from omnibind_ros.messages.embedding_cloud import decode_embedding
from omnibind_ros.types import Contribution, Recognition


class Witness:
    """Keeps a `Log` of a robot, and knows whose encoder is there."""

    def __init__(self) -> None:
        self.log = Log(time.time_ns())
        self.present: set[str] = set()
        self._news = threading.Condition()
        self._recognitions: dict[Hashable, Recognition] = {}
        self._contributions: dict[Hashable, tuple[Contribution, ...]] = {}

    @property
    def live(self) -> set[str]:
        """The sensors of the latest answer."""
        return set(self.log.answers[-1].weights) if self.log.answers else set()

    def wait(self, timeout_s: float) -> None:
        """Until something arrives."""
        with self._news:
            self._news.wait(timeout_s)

    def embedding(self, sensor: str, message: Any) -> None:
        """A `sensor_msgs/PointCloud2` of a sensor's encoder arrived."""
        at = time.time_ns()
        embedding = decode_embedding(message, sensor)
        if embedding is not None:
            self.log.heard.append(Heard(sensor, at, embedding.stamp))

    def encoder(self, sensor: str, count: int) -> None:
        """So many encoders of a sensor are there."""
        with self._news:
            (self.present.add if count else self.present.discard)(sensor)
            self._news.notify()

    def recognition(self, step: Hashable, message: Any) -> None:
        """The recognition of a step of fusion arrived; `step` is the same for both messages of it."""
        with self._news:
            self._recognitions[step] = decode_recognition(message)
            self._complete(step)

    def contributions(self, step: Hashable, message: Any) -> None:
        """The contributions of a step of fusion arrived."""
        with self._news:
            self._contributions[step] = decode_contributions(message)
            self._complete(step)

    def _complete(self, step: Hashable) -> None:
        if step not in self._recognitions or step not in self._contributions:
            return
        best = self._recognitions.pop(step).labels[:1]
        weights = {share.sensor: share.weight for share in self._contributions.pop(step)}
        answer = Answer(time.time_ns(), best[0].label, best[0].score, weights) if best else None
        self.log.answers.append(answer or Answer(time.time_ns(), None, weights=weights))
        self._news.notify()
