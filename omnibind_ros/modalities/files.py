"""File formats of recordings: how a modality declares its own, and those that several share. Host only."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadRecording

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
NUMBERS = (".csv", ".tsv", ".npy")


@dataclass(frozen=True, eq=False)
class RecordedArray:
    """An array that a file or archive holds, and what the recipe states about it.

    Attributes:
        values: as they were read.
        scale: multiplies the values, one for all or one a channel.
        rate: samples a second; None = not stated.
    """

    values: NDArray[Any]
    scale: float | tuple[float, ...] = 1.0
    rate: float | None = None

    @property
    def scaled(self) -> NDArray[np.float32]:
        """The values as float32, multiplied by `scale`."""
        result = self.values.astype(np.float32)
        result *= np.asarray(self.scale, np.float32)
        return result

    def expect(self, fits: bool, what: str) -> None:
        """Raise BadRecording, naming the shape and `what` is expected, unless it `fits`."""
        if not fits:
            raise BadRecording(f"has an array of shape {list(self.values.shape)}; {what} is expected")


@dataclass(frozen=True)
class FileFormats:
    """Which files hold recordings of a modality.

    Attributes:
        readers: suffix -> function of a file and the modality's format (its preprocessing constants) that
            returns the raw sample.
        arrays: suffixes of files that hold an array: any of `PICTURES` and `NUMBERS`, `.txt` or `.xyz`.
        from_array: function of an array and the format that returns the raw sample; raises BadRecording.
    """

    readers: Mapping[str, Callable[[Path, Any], Any]] = field(default_factory=dict)
    arrays: tuple[str, ...] = ()
    from_array: Callable[[RecordedArray, Any], NDArray[Any]] | None = None

    @property
    def suffixes(self) -> tuple[str, ...]:
        return (*self.readers, *self.arrays)


def read_array(file: Path, suffix: str, columns: tuple[str | int, ...] = ()) -> NDArray[Any]:
    """The array in a file: pixels of a picture, a NumPy array, or a table of numbers.

    Args:
        suffix: of the file, without a `.gz`.
        columns: of a table, by name or from 0; all by default.

    Raises:
        BadRecording: it holds none; other exceptions come from the libraries that read it.
    """
    if suffix in PICTURES:
        return read_picture(file)
    if suffix == ".npy":
        return np.asarray(np.load(file, allow_pickle=False))
    return read_numbers(file, columns)


def read_picture(file: Path) -> NDArray[Any]:
    """Any picture OpenCV reads -> [H,W,3] RGB; [H,W] where one channel is deeper than 8 bits."""
    import cv2

    pixels = cv2.imread(str(file), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if pixels is None:
        raise BadRecording("is not a picture")
    if pixels.ndim == 2:
        return pixels if pixels.dtype != np.uint8 else three_channels(pixels)
    return np.ascontiguousarray(pixels[..., ::-1])


def three_channels(grey: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values [H,W] in 0 to 255 -> uint8 [H,W,3]."""
    return np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=-1)


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
