"""Files and arrays -> raw samples, in the form that the preprocessor of their modality takes.

    file --reader of its suffix--> array --rules of the source--> form of the modality--> raw sample

Which files hold recordings of a modality, and how an array becomes a raw sample, is in `recordings.py` of
its folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Strict

from omnibind_ros.config.strict_yaml import StrictModel
from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data.depth import DepthCamera, points_of_depth
from omnibind_ros.modalities.definition import load
from omnibind_ros.modalities.files import PICTURES, FileFormats, RecordedArray, read_array
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.registry import definition


class SampleRules(StrictModel):
    """How what a file holds becomes a raw sample; what is not given needs no change."""

    columns: Annotated[tuple[str | int, ...], Strict(False)] = ()
    """of a table of numbers, by name or from 0; all by default"""
    bits: bool = False
    """the last axis is packed, eight values a byte (numpy.packbits)"""
    axes: Annotated[tuple[int, ...], Strict(False)] = ()
    """order in which the array's axes are wanted, from 0; time comes first in every raw form that has it"""
    scale: float | Annotated[tuple[float, ...], Strict(False)] = 1.0
    """multiplies the values, one for all or one a channel: to metres, to SI units, to [0, 1]"""
    rate: float | None = Field(None, gt=0)
    """samples a second of audio or a time series, where the file does not say"""
    depth: DepthCamera | None = None
    """the array is frames of a depth camera; they become a point cloud"""


@dataclass(frozen=True)
class Decoder:
    """Reads the files and arrays of one source."""

    adaptor: Preprocessor
    rules: SampleRules

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of the files that can hold recordings of the modality."""
        return self._formats.suffixes if self.rules.depth is None else (*PICTURES, ".npy")

    def knows(self, file: str) -> bool:
        """Whether a file of this name can hold a recording of the modality."""
        return _suffix(file) in self.suffixes

    def read(self, file: Path) -> Any:
        """A file that holds one recording -> raw sample.

        Raises:
            BadRecording: names the file and what is wrong with it.
        """
        try:
            return self._read(file)
        except Exception as error:  # decoders of damaged files raise a dozen kinds
            raise _unreadable(file, error) from error

    def array(self, values: NDArray[Any], file: Path) -> Any:
        """An array that was found in `file` -> raw sample.

        Raises:
            BadRecording: names the file and what is wrong with the array.
        """
        try:
            return self._form(values)
        except Exception as error:
            raise _unreadable(file, error) from error

    @property
    def _formats(self) -> FileFormats:
        return load(definition(self.adaptor.modality).files) or FileFormats()

    def _read(self, file: Path) -> Any:
        if not self.knows(file.name):
            endings = f"end with {' or '.join(self.suffixes)}" if self.suffixes else "are not known"
            raise BadRecording(f"{file}: files of {self.adaptor.modality} {endings}")
        suffix = _suffix(file.name)
        if self.rules.depth is None and suffix in self._formats.readers:
            return self._formats.readers[suffix](file, self.adaptor.format)
        return self._form(read_array(file, suffix, self.rules.columns))

    def _form(self, values: NDArray[Any]) -> Any:
        if self.rules.bits:
            values = np.unpackbits(values, axis=-1)
        if self.rules.axes:
            values = values.transpose(self.rules.axes)
        if self.rules.depth is not None:
            return points_of_depth(values, self.rules.depth)
        from_array = self._formats.from_array
        if from_array is None:
            raise BadRecording(f"an array cannot be a recording of {self.adaptor.modality}")
        raw = from_array(RecordedArray(values, self.rules.scale, self.rules.rate), self.adaptor.format)
        if not np.isfinite(raw).all():
            raise BadRecording("holds values that are not finite")
        return raw


def _suffix(name: str) -> str:
    return Path(name.lower().removesuffix(".gz")).suffix


def _unreadable(file: Path, error: Exception) -> BadRecording:
    if isinstance(error, BadRecording):
        problem = str(error)
        return error if str(file) in problem else BadRecording(f"{file} {problem}")
    return BadRecording(f"cannot read {file}: {' '.join(str(error).split()) or type(error).__name__}")
