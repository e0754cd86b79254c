"""The answer on the wire, as vision_msgs/Classification: `omnibind/recognition`, `omnibind/contributions`.

Results are ordered best first. No result at all means that no sensor is live.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from omnibind_ros.errors import BadMessage
from omnibind_ros.messages.fields import read_field, read_text
from omnibind_ros.messages.stamps import make_header, stamp_of
from omnibind_ros.messages.types import MessageTypes
from omnibind_ros.types import Contribution, LabelScore, Recognition


def encode_recognition(types: MessageTypes, recognition: Recognition, frame_id: str = "base_link") -> Any:
    """The `vision_msgs/msg/Classification` of the labels: `class_id` = label, `score` = probability."""
    scores = ((label.label, label.score) for label in recognition.labels)
    return _classification(types, scores, recognition.stamp, frame_id)


def encode_contributions(types: MessageTypes, recognition: Recognition, frame_id: str = "base_link") -> Any:
    """The `vision_msgs/msg/Classification` of who says so: `class_id` = sensor, `score` = weight."""
    weights = ((share.sensor, share.weight) for share in recognition.contributions)
    return _classification(types, weights, recognition.stamp, frame_id)


def decode_recognition(message: object, contributions: tuple[Contribution, ...] = ()) -> Recognition:
    """A `vision_msgs/Classification` of `omnibind/recognition` -> the recognition (without the fused vector).

    Args:
        contributions: those of the same stamp, from `decode_contributions`.

    Raises:
        BadMessage: it is no classification.
    """
    labels = tuple(LabelScore(label, score) for label, score in _results(message))
    return Recognition(stamp_of(message), labels, contributions)


def decode_contributions(message: object) -> tuple[Contribution, ...]:
    """A `vision_msgs/Classification` of `omnibind/contributions` -> a contribution a live sensor.

    Raises:
        BadMessage: it is no classification.
    """
    return tuple(Contribution(sensor, weight) for sensor, weight in _results(message))


def _classification(
    types: MessageTypes, scores: Iterable[tuple[str, float]], stamp: int, frame_id: str
) -> Any:
    hypothesis = types["vision_msgs/msg/ObjectHypothesis"]
    return types["vision_msgs/msg/Classification"](
        header=make_header(types, stamp, frame_id),
        results=[hypothesis(class_id=name, score=float(score)) for name, score in scores],
    )


def _results(message: object) -> list[tuple[str, float]]:
    results = read_field(message, "results")
    if not isinstance(results, (list, tuple)):
        raise BadMessage(f"classification holds {type(results).__name__}, not a list of results")
    return [(read_text(result, "class_id"), _score(result)) for result in results]


def _score(result: object) -> float:
    score = read_field(result, "score")
    try:
        value = float(score)
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if not math.isfinite(value):
        raise BadMessage(f"classification has score {score!r}, not a finite number")
    return value
