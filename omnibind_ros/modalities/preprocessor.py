"""A sensor adaptor turns what one sensor sends into what its encoder eats.

    message --decode--> chunk --window--> raw sample --check--> quality
                                                     --prepare--> model input

Single-shot modalities (image, thermal, point cloud, text) make a sample of every message. Streams (audio,
events, touch frames, time series) keep a window and yield its newest complete content every hop. Training
calls `check` and `prepare` on recordings, so a student sees on the robot exactly what it was taught on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, fields
from importlib import import_module
from inspect import signature
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import ConfigError
from omnibind_ros.names import nearest


@dataclass(frozen=True)
class Check:
    """What the signal checks say of a raw sample: quality in [0, 1], and what they complain about."""

    quality: float
    reason: str = ""


@dataclass(frozen=True, eq=False)
class Sample:
    """What one encoder call consumes.

    Attributes:
        data: model input with a leading batch axis of 1; valid until the adaptor's next `feed`.
        stamp: end of the sample, ns since the epoch.
        frame_id: the sensor's coordinate frame.
        quality: 0 means nothing valid is there (a covered lens, silence): it must not be encoded.
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
    """One per sensor. `format` holds the preprocessing constants that the bundle's manifest records."""

    modality: ClassVar[str]
    stream: ClassVar[bool] = False
    Format: ClassVar[type[Any]]

    def __init__(self, format: Any = None) -> None:
        self.format = format if format is not None else self.Format()

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of the model input, batch axis included."""

    @abstractmethod
    def check(self, raw: Any) -> Check:
        """Honest signal checks of a raw sample."""

    @abstractmethod
    def prepare(self, raw: Any) -> NDArray[Any]:
        """Raw sample -> model input `input_shape`, float32."""

    @abstractmethod
    def feed(self, message: Any) -> list[Sample]:
        """Take one message; return the samples it completes (none or one).

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
        """Message -> raw sample."""

    def join(self, messages: Iterable[Any]) -> Any:
        all_of_them = list(messages)
        return self.decode(all_of_them[len(all_of_them) // 2])

    def feed(self, message: Any) -> list[Sample]:
        raw = self.decode(message)
        verdict = self.check(raw)
        stamp, frame_id = stamp_and_frame(message)
        data = self.prepare(raw) if verdict.quality > 0 else self.nothing
        return [Sample(data, stamp, frame_id, verdict.quality, verdict.reason)]


def stamp_and_frame(message: Any) -> tuple[int, str]:
    """Stamp (ns; 0 without a header: the encoder then stamps on receipt) and frame of a message."""
    header = getattr(message, "header", None)
    if header is None:
        return 0, ""
    return header.stamp.sec * 1_000_000_000 + header.stamp.nanosec, header.frame_id


_ADAPTORS = {
    "image": "omnibind_ros.modalities.image.preprocessing:ImagePreprocessor",
    "audio": "omnibind_ros.modalities.audio.preprocessing:AudioPreprocessor",
    "event": "omnibind_ros.modalities.event.preprocessing:EventPreprocessor",
    "touch": "omnibind_ros.modalities.touch.preprocessing:TouchPreprocessor",
    "thermal": "omnibind_ros.modalities.thermal.preprocessing:ThermalPreprocessor",
    "point_cloud": "omnibind_ros.modalities.point_cloud.preprocessing:PointCloudPreprocessor",
    "text": "omnibind_ros.modalities.text.preprocessing:TextPreprocessor",
    "series": "omnibind_ros.modalities.series.preprocessing:SeriesPreprocessor",
}


def preprocessor_class(modality: str) -> type[Preprocessor]:
    """The adaptor of a built-in modality, imported only now: an audio encoder needs no OpenCV.

    Raises:
        ConfigError: no such modality.
    """
    if modality not in _ADAPTORS:
        raise ConfigError(f"no sensor adaptor for modality {modality!r}{nearest(modality, _ADAPTORS)}")
    module, name = _ADAPTORS[modality].split(":")
    adaptor: type[Preprocessor] = getattr(import_module(module), name)
    return adaptor


def make_preprocessor(
    modality: str, preprocessing: dict[str, Any] | None = None, **options: Any
) -> Preprocessor:
    """Build the adaptor of a modality.

    Args:
        modality: a built-in modality, or the bundle's own name for one whose `preprocessing` says
            `adaptor: <built-in>`.
        preprocessing: constants from the bundle's manifest; missing ones take the format's defaults.
        options: how this one device encodes its messages (e.g. `sample_format`, `rate` of a microphone).

    Raises:
        ConfigError: unknown modality, constant or option; the line names the nearest valid name.
    """
    constants = dict(preprocessing or {})
    kind = preprocessor_class(str(constants.pop("adaptor", modality)))
    valid = [f.name for f in fields(kind.Format)]
    for key in constants:
        if key not in valid:
            raise ConfigError(f"preprocessing of {modality!r}: unknown constant {key!r}{nearest(key, valid)}")
    known = _option_names(kind)
    for key in options:
        if key not in known:
            raise ConfigError(
                f"a {modality} sensor has no option {key!r}{nearest(key, known) if known else ''}"
            )
    return kind(kind.Format(**constants), **options)


def _option_names(kind: type[Preprocessor]) -> list[str]:
    return [name for name in signature(kind).parameters if name != "format"]
