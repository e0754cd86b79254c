"""Names and scores on the wire, as vision_msgs/Classification.

    omnibind/recognition     labels and their probabilities
    omnibind/contributions   live sensors and their weights
    omnibind/health          known sensors and their probabilities of being healthy

Results are ordered best first. No result at all means that no sensor is live.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.cdr import message_class
from omnibind_ros.messages.stamps import make_header, stamp_of
from omnibind_ros.types import Contribution, LabelScore, Recognition, SensorState, SensorStatus


def encode_recognition(recognition: Recognition, frame_id: str = "base_link") -> Any:
    """The `vision_msgs/msg/Classification` of the labels: `class_id` = label, `score` = probability."""
    scores = ((label.label, label.score) for label in recognition.labels)
    return _classification(scores, recognition.stamp, frame_id)


def encode_contributions(recognition: Recognition, frame_id: str = "base_link") -> Any:
    """The `vision_msgs/msg/Classification` of the weights: `class_id` = sensor, `score` = weight."""
    weights = ((share.sensor, share.weight) for share in recognition.contributions)
    return _classification(weights, recognition.stamp, frame_id)


def encode_health(statuses: Iterable[SensorStatus], stamp: int, frame_id: str = "base_link") -> Any:
    """The `vision_msgs/msg/Classification` of the sensors that send: `class_id` = sensor, `score` = health.

    Most healthy first. A sensor that is faulty for another reason than its health, e.g. one whose embeddings
    are not finite, has health 0.
    """
    sending = (SensorState.LIVE, SensorState.MUTED, SensorState.FAULTY)
    health = [(s.sensor, s.health) for s in statuses if s.state in sending]
    return _classification(sorted(health, key=lambda item: -item[1]), stamp, frame_id)


def decode_recognition(message: Any, contributions: tuple[Contribution, ...] = ()) -> Recognition:
    """A `vision_msgs/Classification` of `omnibind/recognition` -> the recognition (without the fused vector).

    Args:
        contributions: those of the same stamp, from `decode_contributions`.

    Raises:
        BadMessage: a score is not a finite number.
    """
    labels = tuple(LabelScore(label, score) for label, score in _results(message))
    return Recognition(stamp_of(message), labels, contributions)


def decode_contributions(message: Any) -> tuple[Contribution, ...]:
    """A `vision_msgs/Classification` of `omnibind/contributions` -> a contribution a live sensor.

    Raises:
        BadMessage: a score is not a finite number.
    """
    return tuple(Contribution(sensor, weight) for sensor, weight in _results(message))


def _classification(scores: Iterable[tuple[str, float]], stamp: int, frame_id: str) -> Any:
    hypothesis = message_class("vision_msgs/msg/ObjectHypothesis")
    return message_class("vision_msgs/msg/Classification")(
        header=make_header(stamp, frame_id),
        results=[hypothesis(class_id=name, score=float(score)) for name, score in scores],
    )


def _results(message: Any) -> list[tuple[str, float]]:
    return [(result.class_id, _score(result.score)) for result in message.results]


def _score(score: float) -> float:
    if not math.isfinite(score):
        raise BadMessage(f"classification has score {score!r}, not a finite number")
    return score
