"""`reader: bag`: a topic of ROS 2 bags (MCAP or SQLite, any distribution), cut into recordings by time.

A bag is of one class, which its path names, or a table beside it lists what it shows when: a CSV file with
the columns `start`, `end` (seconds from the bag's first message) and `label`, or other fields for the rules.
Messages are decoded by the modality's preprocessing, as on the robot. Topics of one bag that are cut alike
give true pairs: `pair: "{bag} {start}"`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from omnibind_ros.errors import BadRecording, ConfigError, OmniBindError
from omnibind_ros.host.data.decode import Decoder
from omnibind_ros.host.data.files import Files, Found, compile_pattern
from omnibind_ros.host.data.readers.table import read_table
from omnibind_ros.host.data.source import Entry, PathPattern, Source
from omnibind_ros.messages.type_store import type_store
from omnibind_ros.names import nearest

_NS = 1_000_000_000


class BagSource(Source):
    """The fields are those of the path and of the table, {bag} and {start}."""

    reader: Literal["bag"]
    path: PathPattern
    """of the bags: .mcap or .db3 files, or the metadata.yaml of a bag's folder"""
    topic: str
    segments: str | None = None
    """table beside the bag that lists what it shows when; fields of the path in braces"""
    every_s: Annotated[float, Field(gt=0)] | None = None
    """length of a recording; by default a whole segment, or the whole bag"""

    def find(self, files: Files, decoder: Decoder) -> Iterator[Entry]:
        for found in files.matching(compile_pattern(self.path)):
            bag = found.file.parent if found.file.name == "metadata.yaml" else found.file
            stamps = _stamps_of(bag, self.topic)
            for segment in self._segments(found):
                for start, end in self._pieces(segment, stamps):
                    if not np.any((stamps.of_topic >= start) & (stamps.of_topic < end)):
                        continue
                    since = (start - stamps.begin) / _NS
                    name = f"{found.name}{self.topic}@{since:.3f}"
                    fields = {**segment.fields, "bag": found.name, "start": f"{since:.3f}"}
                    load = partial(_read, bag, self.topic, start, end, decoder)
                    yield Entry(name, fields, found.file, load)

    def _segments(self, found: Found) -> list[_Segment]:
        if self.segments is None:
            return [_Segment(0.0, None, found.fields)]
        file = found.file.parent / self._filled("segments", self.segments, found.fields)
        lines = read_table(file)
        try:
            return [
                _Segment(float(line["start"]), float(line["end"]), {**found.fields, **line}) for line in lines
            ]
        except (KeyError, ValueError) as error:
            raise BadRecording(f"the table {file} needs columns start and end in seconds: {error}") from error

    def _pieces(self, segment: _Segment, stamps: _Stamps) -> list[tuple[int, int]]:
        """Start and end of the recordings of a segment in ns; the last may be a tenth shorter."""
        start = stamps.begin + round(segment.start_s * _NS)
        end = stamps.end if segment.end_s is None else stamps.begin + round(segment.end_s * _NS)
        if self.every_s is None:
            return [(start, end)]
        step = round(self.every_s * _NS)
        return [(begin, begin + step) for begin in range(start, end - step * 9 // 10 + 1, step)]


@dataclass(frozen=True)
class _Segment:
    start_s: float
    end_s: float | None
    fields: dict[str, str]


@dataclass(frozen=True, eq=False)
class _Stamps:
    """Begin and (exclusive) end of a bag, and when a topic's messages were received; ns."""

    begin: int
    end: int
    of_topic: NDArray[np.int64]


@lru_cache(maxsize=64)
def _stamps_of(bag: Path, topic: str) -> _Stamps:
    stamps = np.array([stamp for stamp, _ in _messages(bag, topic)], np.int64)
    with _opened(bag) as reader:
        return _Stamps(reader.start_time, reader.end_time, stamps)


def _read(bag: Path, topic: str, start: int, end: int, decoder: Decoder) -> Any:
    try:
        messages = [message() for stamp, message in _messages(bag, topic, start, end)]
        return decoder.preprocessor.join(messages)
    except OmniBindError as error:
        raise BadRecording(f"{bag}, topic {topic}, from {start}: {error}") from error


def _messages(
    bag: Path, topic: str, start: int | None = None, end: int | None = None
) -> Iterator[tuple[int, Any]]:
    """Time of receipt in ns, and a function that decodes it, of every message in order."""
    try:
        with _opened(bag) as reader:
            topics = sorted({connection.topic for connection in reader.connections})
            if topic not in topics:
                raise ConfigError(f"the bag {bag} has no topic {topic!r}{nearest(topic, topics)}")
            wanted = [connection for connection in reader.connections if connection.topic == topic]
            for connection, stamp, data in reader.messages(wanted, start=start, stop=end):
                yield stamp, partial(reader.deserialize, data, connection.msgtype)
    except OmniBindError:
        raise
    except Exception as error:  # readers of damaged files raise a dozen kinds
        raise BadRecording(f"cannot read the bag {bag}: {' '.join(str(error).split())}") from error


def _opened(bag: Path) -> Any:
    from rosbags.highlevel import AnyReader

    return AnyReader([bag], default_typestore=type_store())
