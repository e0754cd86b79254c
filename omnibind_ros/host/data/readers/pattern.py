"""`reader: pattern`: one file per recording; label, group and other fields are parts of its path."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

from omnibind_ros.host.data.decode import Decoder
from omnibind_ros.host.data.files import Files, compile_pattern
from omnibind_ros.host.data.source import Entry, PathPattern, Source


class PatternSource(Source):
    """Files whose path ends like `audio/{label}_{group}_{}.wav`; see `omnibind_ros.host.data.files`."""

    reader: Literal["pattern"]
    path: PathPattern

    def find(self, files: Files, decoder: Decoder) -> Iterator[Entry]:
        for found in files.matching(compile_pattern(self.path)):
            yield Entry(found.name, found.fields, found.file, partial(decoder.read, found.file))
