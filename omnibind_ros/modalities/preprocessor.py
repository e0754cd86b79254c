"""A preprocessor turns what one sensor sends into the model input of its encoder.

    message --decode--> chunk --window--> raw sample --check--> quality
                                                     --prepare--> model input

Single-shot modalities (image, thermal, point cloud, text) make a sample of every message. Streams (audio,
events, touch frames, time series) keep a window and yield its newest complete content every hop. Training
calls `check` and `prepare` on recordings: a student is trained on the inputs that it gets on the robot.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Check:
    """Result of the signal checks on a raw sample: quality in [0, 1], and what lowered it."""

    quality: float
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Sample:
    """What one encoder call consumes.

    Attributes:
        data: model input with a leading batch axis of 1; valid until the preprocessor's next `feed`.
        stamp: end of the sample, ns since the epoch; 0: unknown.
        frame_id: the sensor's coordinate frame.
        quality: 0 means that nothing valid is there (a covered lens, silence): it must not be encoded.
        reason: what lowered the quality.
        span_s: seconds from the beginning of the sample to `stamp`; 0 = an instant.
    """

    data: NDArray[Any]
    stamp: int
    frame_id: str
    quality: float
    reason: str = ""
    span_s: float = 0.0


class Preprocessor(ABC):
    """One per sensor. `format` holds the preprocessing constants that the bundle's manifest records.

    Attributes:
        lost_messages: messages that never arrived, by the sequence numbers of those that did; it only grows.
        stamp_fault: why the stamps of the messages are not used; empty while they are.
    """

    modality: ClassVar[str]
    stream: ClassVar[bool] = False
    Format: ClassVar[type[Any]]

    lost_messages: int = 0
    stamp_fault: str = ""

    def __init__(self, format: Any = None) -> None:
        self.format = format if format is not None else self.Format()

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the model input, batch axis included."""

    @abstractmethod
    def check(self, raw: Any) -> Check:
        """Signal checks of a raw sample."""

    @abstractmethod
    def prepare(self, raw: Any) -> NDArray[Any]:
        """Raw sample -> model input `input_shape`, float32."""

    @abstractmethod
    def feed(self, message: Any, received: int = 0) -> list[Sample]:
        """Take one message; return the samples it completes (none or one).

        Args:
            message: of a type of this modality, deserialised from CDR by rosbags.
            received: time of receipt, ns since the epoch; 0: unknown.

        Raises:
            BadMessage: the message cannot be decoded; the window is as it was before.
        """

    @abstractmethod
    def join(self, messages: Iterable[Any]) -> Any:
        """Messages of one recorded moment, at least one -> the raw sample that they are together.

        Raises:
            BadMessage: one of them cannot be decoded.
        """

    @property
    def nothing(self) -> NDArray[Any]:
        """An empty model input, for samples that will not be encoded."""
        return np.zeros(self.input_shape, np.float32)

    def reset(self) -> None:
        """Forget the window: the stream jumped in time or its driver was replaced."""


class SingleShotPreprocessor(Preprocessor):
    """Every message is a sample."""

    @abstractmethod
    def decode(self, message: Any) -> Any:
        """Message -> raw sample.

        Raises:
            BadMessage: the message cannot be decoded.
        """

    def join(self, messages: Iterable[Any]) -> Any:
        recorded = list(messages)
        return self.decode(recorded[len(recorded) // 2])

    def feed(self, message: Any, received: int = 0) -> list[Sample]:
        return self.sample(self.decode(message), message)

    def sample(self, raw: Any, message: Any) -> list[Sample]:
        """The sample of the raw sample that was decoded from a message."""
        verdict = self.check(raw)
        data = self.prepare(raw) if verdict.quality > 0 else self.nothing
        return [Sample(data, *stamp_and_frame(message), verdict.quality, verdict.reason)]


def stamp_and_frame(message: Any) -> tuple[int, str]:
    """Stamp (ns; 0 without a header: the encoder then stamps on receipt) and frame of a message."""
    header = getattr(message, "header", None)
    if header is None:
        return 0, ""
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec, header.frame_id
