"""Common base of archives of named arrays: one recording per file, or one per row of the array `data`.

In a file of many recordings, every other array with as many entries as `data` is a field.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadRecording, OmniBindError
from omnibind_ros.host.data.decode import Decoder
from omnibind_ros.host.data.files import Files, compile_pattern
from omnibind_ros.host.data.source import Entry, PathPattern, Source
from omnibind_ros.names import nearest

Arrays = Mapping[str, NDArray[Any]]


class ArraysSource(Source):
    """Files of named arrays."""

    path: PathPattern
    data: str
    """name of the array with the recordings"""
    many: bool
    """whether its first axis counts recordings"""

    @abstractmethod
    def open(self, file: Path) -> Arrays:
        """The arrays of a file; any exception means that it cannot be read."""

    def find(self, files: Files, decoder: Decoder) -> Iterator[Entry]:
        for found in files.matching(compile_pattern(self.path)):
            if self.many:
                yield from self._rows(found.file, found.name, found.fields, decoder)
            else:
                yield Entry(found.name, found.fields, found.file, partial(self._whole, found.file, decoder))

    def _whole(self, file: Path, decoder: Decoder) -> Any:
        return decoder.array(self._array(self._arrays(file), self.data, file), file)

    def _rows(self, file: Path, name: str, fields: Mapping[str, str], decoder: Decoder) -> Iterator[Entry]:
        arrays = self._arrays(file)
        data = self._array(arrays, self.data, file)
        columns = {
            key: np.ravel(values).tolist()
            for key, values in arrays.items()
            if key != self.data and values.size == len(data)
        }
        for index in range(len(data)):
            own = {key: _text(values[index]) for key, values in columns.items()}
            load = partial(decoder.array, data[index], file)
            yield Entry(f"{name}#{index}", {**fields, **own}, file, load)

    def _arrays(self, file: Path) -> Arrays:
        try:
            return self.open(file)
        except OmniBindError:
            raise
        except Exception as error:  # readers of damaged files raise a dozen kinds
            reason = " ".join(str(error).split()) or type(error).__name__
            raise BadRecording(f"cannot read {file}: {reason}") from error

    def _array(self, arrays: Arrays, name: str, file: Path) -> NDArray[Any]:
        if name not in arrays:
            raise BadRecording(f"{file} has no array {name!r}{nearest(name, sorted(arrays))}")
        return arrays[name]


def _text(value: Any) -> str:
    """A number or word as recipes have it: MATLAB stores whole numbers as 3.0."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
