"""Files and arrays -> raw samples, in the form that the sensor adaptor of their modality takes.

    file --its format--> array --rules of the source--> raw sample

One function a file format (`_FORMATS`, by suffix), one a raw form (`_FORMS`, by adaptor).
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, Strict

from omnibind_ros.config.strict_yaml import StrictModel
from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data.audio_file import AUDIO_SUFFIXES, read_audio
from omnibind_ros.host.data.depth import DepthCamera, points_of_depth
from omnibind_ros.modalities.audio.pcm import resample
from omnibind_ros.modalities.event.events import Events
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.series.preprocessing import at_rate


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
        own = _SUFFIXES_OF.get(self.adaptor.modality, ())
        return own if self.rules.depth is None else (*_PICTURES, ".npy")

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

    def _read(self, file: Path) -> Any:
        if not self.knows(file.name):
            raise BadRecording(
                f"{file}: files of {self.adaptor.modality} end with {' or '.join(self.suffixes)}"
            )
        suffix, form = _suffix(file.name), self.adaptor.modality
        if form == "text":
            return file.read_text(encoding="utf-8").strip()
        if form == "event":
            return read_bs2(file)
        if suffix in AUDIO_SUFFIXES:
            return read_audio(file, self.adaptor.format.rate)
        if suffix in _PICTURES:
            return self._form(read_picture(file))
        if suffix == ".npy":
            return self._form(np.load(file, allow_pickle=False))
        return self._form(read_numbers(file, self.rules.columns))

    def _form(self, values: NDArray[Any]) -> Any:
        if self.rules.bits:
            values = np.unpackbits(values, axis=-1)
        if self.rules.axes:
            values = values.transpose(self.rules.axes)
        if self.rules.depth is not None:
            return points_of_depth(values, self.rules.depth)
        form = self.adaptor.modality
        if form not in _FORMS:
            raise BadRecording(f"an array cannot be a recording of {form}")
        raw = _FORMS[form](values, self)
        if not np.isfinite(raw).all():
            raise BadRecording("holds values that are not finite")
        return raw

    def scaled(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """float32, multiplied by the rules' scale."""
        result = values.astype(np.float32)
        result *= np.asarray(self.rules.scale, np.float32)
        return result


def read_picture(file: Path) -> NDArray[Any]:
    """Any picture OpenCV reads -> [H,W,3] RGB; [H,W] where one channel is deeper than 8 bits."""
    import cv2

    pixels = cv2.imread(str(file), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if pixels is None:
        raise BadRecording("is not a picture")
    if pixels.ndim == 2:
        return pixels if pixels.dtype != np.uint8 else _three_channels(np.asarray(pixels, np.uint8))
    return np.ascontiguousarray(pixels[..., ::-1])


def read_bs2(file: Path) -> Events:
    """N-MNIST (Orchard et al. 2015): 5 bytes an event, x, y, polarity and 23-bit big-endian microseconds."""
    raw = np.fromfile(file, np.uint8)
    if len(raw) % 5:
        raise BadRecording(f"has {len(raw)} bytes, not a multiple of 5")
    raw = raw.reshape(-1, 5)
    micros = (raw[:, 2] & 0x7F).astype(np.int64) << 16 | raw[:, 3].astype(np.int64) << 8 | raw[:, 4]
    order = np.argsort(micros, kind="stable")
    x, y, p = raw[order, 0].astype(np.uint16), raw[order, 1].astype(np.uint16), raw[order, 2] >> 7 == 1
    return Events(x, y, micros[order] * 1000, p, 34, 34)


def read_numbers(file: Path, columns: tuple[str | int, ...]) -> NDArray[np.float32]:
    """A table of numbers, with or without a line of names, gzipped or not -> float32 [rows, columns]."""
    lines = _open_text(file).read().splitlines()
    names = [name.strip() for name in next(csv.reader(lines[:1], delimiter=_delimiter(lines)), [])]
    has_names = any(not _is_number(name) for name in names if name)
    if len(lines) <= has_names:
        raise BadRecording("holds no numbers")
    wanted = [_column(column, names if has_names else []) for column in columns]
    delimiter = None if _delimiter(lines) == " " else _delimiter(lines)
    return np.loadtxt(lines[has_names:], np.float32, delimiter=delimiter, usecols=wanted or None, ndmin=2)


def _open_text(file: Path) -> Any:
    return gzip.open(file, "rt") if file.suffix == ".gz" else file.open(encoding="utf-8-sig")


def _delimiter(lines: list[str]) -> str:
    first = lines[0] if lines else ""
    return next((mark for mark in (",", ";", "\t") if mark in first), " ")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _column(column: str | int, names: list[str]) -> int:
    if isinstance(column, int):
        return column
    if column not in names:
        raise BadRecording(f"has no column {column!r}; it has {', '.join(names) or 'no names'}")
    return names.index(column)


def _image(values: NDArray[Any], decoder: Decoder) -> NDArray[np.uint8]:
    if values.dtype != np.uint8:
        if values.dtype == np.uint16 and decoder.rules.scale == 1.0:
            values = values >> np.uint16(8)
        else:
            values = np.rint(np.clip(decoder.scaled(values), 0, 255))
    if values.ndim == 2 or values.shape[-1] == 1:
        return _three_channels(values.reshape(values.shape[:2]).astype(np.uint8))
    _expect(values.ndim == 3 and values.shape[2] == 3, values, "a picture [H, W] or [H, W, 3]")
    return np.ascontiguousarray(values, np.uint8)


def _thermal(values: NDArray[Any], decoder: Decoder) -> NDArray[np.float32]:
    from omnibind_ros.modalities.image.encodings import to_intensity

    if values.ndim == 3 and values.shape[2] == 3:  # false-colour maps keep luma monotone
        return to_intensity(values)
    _expect(values.ndim == 2, values, "a thermal picture [H, W]")
    return decoder.scaled(values)


def _audio(values: NDArray[Any], decoder: Decoder) -> NDArray[np.float32]:
    _expect(values.ndim in (1, 2), values, "sound [n] or [n, channels]")
    sound = decoder.scaled(values)
    if np.issubdtype(values.dtype, np.signedinteger):
        sound /= np.float32(-float(np.iinfo(values.dtype).min))
    mono = sound if sound.ndim == 1 else sound.mean(axis=1, dtype=np.float32)
    if decoder.rules.rate is None:
        raise BadRecording("does not say its sampling rate; give it in the source: sample: {rate: 16000}")
    return resample(mono, round(decoder.rules.rate), decoder.adaptor.format.rate)


def _touch(values: NDArray[Any], decoder: Decoder) -> NDArray[np.float32]:
    _expect(values.ndim == 3, values, "touch frames [T, H, W]")
    return decoder.scaled(values)


def _point_cloud(values: NDArray[Any], decoder: Decoder) -> NDArray[np.float32]:
    _expect(values.ndim == 2 and values.shape[1] == 3, values, "points [N, 3]")
    return decoder.scaled(values)


def _series(values: NDArray[Any], decoder: Decoder) -> NDArray[np.float32]:
    channels, rate = decoder.adaptor.format.channels, decoder.adaptor.format.rate
    rows = values.reshape(len(values), -1)
    _expect(rows.shape[1] == channels and len(rows) > 0, values, f"a time series [T, {channels}]")
    recorded_rate = decoder.rules.rate or rate
    return at_rate(np.arange(len(rows)) / recorded_rate, decoder.scaled(rows), rate)


def _expect(fits: bool, values: NDArray[Any], what: str) -> None:
    if not fits:
        raise BadRecording(f"has an array of shape {list(values.shape)}; {what} is expected")


def _three_channels(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=-1)


_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
_NUMBERS = (".csv", ".tsv", ".npy")
_SUFFIXES_OF: dict[str, tuple[str, ...]] = {
    "image": (*_PICTURES, ".npy"),
    "thermal": (*_PICTURES, *_NUMBERS),
    "audio": (*AUDIO_SUFFIXES, ".npy"),
    "event": (".bs2",),
    "touch": (".npy",),
    "point_cloud": (*_NUMBERS, ".xyz", ".txt"),
    "series": (*_NUMBERS, ".txt"),
    "text": (".txt",),
}
_FORMS: dict[str, Callable[[NDArray[Any], Decoder], NDArray[Any]]] = {
    "image": _image,
    "thermal": _thermal,
    "audio": _audio,
    "touch": _touch,
    "point_cloud": _point_cloud,
    "series": _series,
}


def _suffix(name: str) -> str:
    return Path(name.lower().removesuffix(".gz")).suffix


def _unreadable(file: Path, error: Exception) -> BadRecording:
    if isinstance(error, BadRecording):
        said = str(error)
        return error if str(file) in said else BadRecording(f"{file} {said}")
    return BadRecording(f"cannot read {file}: {' '.join(str(error).split()) or type(error).__name__}")
