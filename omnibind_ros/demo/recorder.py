"""Records when embeddings and answers of a robot arrive: one place, one clock."""

from __future__ import annotations

import threading
import time
from collections import Counter
from functools import partial
from typing import Any

from omnibind_ros.demo.timeline import Answer, Arrival, Log
from omnibind_ros.messages.classification import decode_contributions, decode_recognition
from omnibind_ros.messages.embedding_cloud import decode_embedding
from omnibind_ros.messages.stamps import stamp_of
from omnibind_ros.messages.topics import (
    CONTRIBUTIONS,
    RECOGNITION,
    embedding_topic,
    sensor_of_embedding_topic,
)
from omnibind_ros.transport.protocol import Offer, Transport, subscribe
from omnibind_ros.transport.qos import Qos
from omnibind_ros.types import Contribution, Recognition

_CLASSIFICATION, _CLOUD = "vision_msgs/msg/Classification", "sensor_msgs/msg/PointCloud2"
_DEEP = Qos(depth=100)
_DEEP_LATCHED = Qos(durability="transient_local", depth=100)

_Step = tuple[int, int]
"""The stamp of a step's messages, and how often it has come: it is repeated while nothing new arrives."""


class Recorder:
    """Keeps a `Log` of the robot in the transport's namespace, and knows whose encoder runs."""

    def __init__(self, transport: Transport) -> None:
        self.log = Log(time.time_ns())
        self.present: set[str] = set()
        self._transport = transport
        self._news = threading.Condition()
        self._recognitions: dict[_Step, Recognition] = {}
        self._contributions: dict[_Step, tuple[Contribution, ...]] = {}
        self._steps: dict[str, Counter[int]] = {RECOGNITION: Counter(), CONTRIBUTIONS: Counter()}
        self._subscribed: set[str] = set()
        subscribe(transport, RECOGNITION, _CLASSIFICATION, self._on_recognition, _DEEP)
        subscribe(transport, CONTRIBUTIONS, _CLASSIFICATION, self._on_contributions, _DEEP)
        transport.watch(embedding_topic("*"), self._on_encoders)

    @property
    def live(self) -> set[str]:
        """The sensors of the latest answer."""
        return set(self.log.answers[-1].weights) if self.log.answers else set()

    def wait(self, timeout_s: float) -> None:
        """Until something arrives."""
        with self._news:
            self._news.wait(timeout_s)

    def _on_encoders(self, topic: str, offers: tuple[Offer, ...], alive: int) -> None:
        sensor = sensor_of_embedding_topic(topic)
        if sensor is None:
            return
        if sensor not in self._subscribed:
            self._subscribed.add(sensor)
            subscribe(
                self._transport,
                embedding_topic(sensor),
                _CLOUD,
                partial(self._on_embedding, sensor),
                _DEEP_LATCHED,
            )
        with self._news:
            (self.present.add if alive else self.present.discard)(sensor)
            self._news.notify()

    def _on_embedding(self, sensor: str, message: Any) -> None:
        at = time.time_ns()
        embedding = decode_embedding(message, sensor)
        if embedding is not None:
            self.log.arrivals.append(Arrival(sensor, at, embedding.stamp))

    def _on_recognition(self, message: Any) -> None:
        self._complete(self._step(RECOGNITION, message), recognition=decode_recognition(message))

    def _on_contributions(self, message: Any) -> None:
        self._complete(self._step(CONTRIBUTIONS, message), contributions=decode_contributions(message))

    def _step(self, topic: str, message: Any) -> _Step:
        stamp = stamp_of(message)
        self._steps[topic][stamp] += 1
        return stamp, self._steps[topic][stamp]

    def _complete(
        self,
        step: _Step,
        recognition: Recognition | None = None,
        contributions: tuple[Contribution, ...] | None = None,
    ) -> None:
        """Put the two messages of a step together once both are there."""
        with self._news:
            if recognition is not None:
                self._recognitions[step] = recognition
            if contributions is not None:
                self._contributions[step] = contributions
            if step not in self._recognitions or step not in self._contributions:
                return
            best = self._recognitions.pop(step).labels[:1]
            weights = {share.sensor: share.weight for share in self._contributions.pop(step)}
            answer = Answer(time.time_ns(), best[0].label, best[0].score, weights) if best else None
            self.log.answers.append(answer or Answer(time.time_ns(), None, weights=weights))
            self._news.notify()
