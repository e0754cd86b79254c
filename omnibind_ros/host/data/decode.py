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
    """How the content of a file becomes a raw sample; by default it is used as it is."""

    columns: Annotated[tuple[str | int, ...], Strict(False)] = ()
    """columns of a table of numbers, by name or counted from 0; all by default"""
    bits: bool = False
    """the last axis is packed, eight values per byte (numpy.packbits)"""
    axes: Annotated[tuple[int, ...], Strict(False)] = ()
    """new order of the array's axes, counted from 0; in raw samples, time is the first axis"""
    scale: float | Annotated[tuple[float, ...], Strict(False)] = 1.0
    """factor of the values, one for all or one per channel: to metres, to SI units, to [0, 1]"""
    rate: float | None = Field(None, gt=0)
    """samples per second of audio or a time series, if the file does not have it"""
    depth: DepthCamera | None = None
    """the array has frames of a depth camera, which become a point cloud"""


@dataclass(frozen=True)
class Decoder:
    """Reads the files and arrays of one source."""

    preprocessor: Preprocessor
    rules: SampleRules

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes of the files that can be recordings of the modality."""
        return self._formats.suffixes if self.rules.depth is None else (*PICTURES, ".npy")

    def knows(self, file: str) -> bool:
        """Whether a file of this name can be a recording of the modality."""
        return _suffix(file) in self.suffixes

    def read(self, file: Path) -> Any:
        """The raw sample of a file of one recording.

        Raises:
            BadRecording: the file cannot be read; the message names it and the problem.
        """
        try:
            return self._read(file)
        except Exception as error:  # decoders of damaged files raise a dozen kinds
            raise _unreadable(file, error) from error

    def array(self, values: NDArray[Any], file: Path) -> Any:
        """The raw sample of an array of `file`.

        Raises:
            BadRecording: the array does not fit; the message names the file and the problem.
        """
        try:
            return self._form(values)
        except Exception as error:
            raise _unreadable(file, error) from error

    @property
    def _formats(self) -> FileFormats:
        return load(definition(self.preprocessor.modality).files) or FileFormats()

    def _read(self, file: Path) -> Any:
        if not self.knows(file.name):
            endings = f"end with {' or '.join(self.suffixes)}" if self.suffixes else "are not known"
            raise BadRecording(f"{file}: files of {self.preprocessor.modality} {endings}")
        suffix = _suffix(file.name)
        if self.rules.depth is None and suffix in self._formats.readers:
            return self._formats.readers[suffix](file, self.preprocessor.format)
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
            raise BadRecording(f"an array cannot be a recording of {self.preprocessor.modality}")
        raw = from_array(RecordedArray(values, self.rules.scale, self.rules.rate), self.preprocessor.format)
        if not np.isfinite(raw).all():
            raise BadRecording("has values that are not finite")
        return raw


def _suffix(name: str) -> str:
    return Path(name.lower().removesuffix(".gz")).suffix


def _unreadable(file: Path, error: Exception) -> BadRecording:
    if isinstance(error, BadRecording):
        problem = str(error)
        return error if str(file) in problem else BadRecording(f"{file} {problem}")
    return BadRecording(f"cannot read {file}: {' '.join(str(error).split()) or type(error).__name__}")
