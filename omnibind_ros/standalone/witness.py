"""One vantage point with one clock: writes down when embeddings and answers of a robot arrive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from omnibind_ros.core import Contribution, Recognition
from omnibind_ros.messages.classification import decode_contributions, decode_recognition
from omnibind_ros.messages.embedding_cloud import decode_embedding
from omnibind_ros.messages.topics import CONTRIBUTIONS, RECOGNITION, embedding_topic
from omnibind_ros.standalone import qos
from omnibind_ros.standalone.discovery import PublisherChange
from omnibind_ros.standalone.node import Node
from omnibind_ros.standalone.subscription import MessageInfo
from omnibind_ros.standalone.timeline import Answer, Heard, Log


class Witness:
    """Keeps a `Log` of a robot, and knows whose encoder is there; the node owns the subscriptions."""

    def __init__(self, node: Node, sensors: Iterable[str]) -> None:
        self.log = Log(time.time_ns())
        self.present: set[str] = set()
        self._news = threading.Condition()
        self._recognitions: dict[int, Recognition] = {}
        self._contributions: dict[int, tuple[Contribution, ...]] = {}
        classification = "vision_msgs/msg/Classification"
        both = qos.Qos(depth=1)
        node.subscribe(RECOGNITION, classification, self._on_recognition, qos=both, keep="all")
        node.subscribe(CONTRIBUTIONS, classification, self._on_contributions, qos=both, keep="all")
        for sensor in sensors:
            node.subscribe(
                embedding_topic(sensor),
                "sensor_msgs/msg/PointCloud2",
                partial(self._on_embedding, sensor),
                qos=qos.EMBEDDING,
                keep="all",
            )
            node.discover(embedding_topic(sensor), partial(self._on_encoder, sensor))

    @property
    def live(self) -> set[str]:
        """The sensors of the latest answer."""
        return set(self.log.answers[-1].weights) if self.log.answers else set()

    def wait(self, timeout_s: float) -> None:
        """Until something arrives."""
        with self._news:
            self._news.wait(timeout_s)

    def _on_embedding(self, sensor: str, message: Any, info: MessageInfo) -> None:
        at = time.time_ns()
        embedding = decode_embedding(message, sensor)
        if embedding is not None:
            self.log.heard.append(Heard(sensor, at, embedding.stamp))

    def _on_encoder(self, sensor: str, change: PublisherChange) -> None:
        with self._news:
            (self.present.add if change.alive else self.present.discard)(sensor)
            self._news.notify()

    def _on_recognition(self, message: Any, info: MessageInfo) -> None:
        with self._news:
            self._recognitions[info.sequence] = decode_recognition(message)
            self._complete(info.sequence)

    def _on_contributions(self, message: Any, info: MessageInfo) -> None:
        with self._news:
            self._contributions[info.sequence] = decode_contributions(message)
            self._complete(info.sequence)

    def _complete(self, step: int) -> None:
        """Fusion publishes both at every step, so the two of one step have the same number."""
        if step not in self._recognitions or step not in self._contributions:
            return
        best = self._recognitions.pop(step).labels[:1]
        weights = {share.sensor: share.weight for share in self._contributions.pop(step)}
        answer = Answer(time.time_ns(), best[0].label, best[0].score, weights) if best else None
        self.log.answers.append(answer or Answer(time.time_ns(), None, weights=weights))
        self._news.notify()
