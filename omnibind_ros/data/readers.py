"""File formats of recordings -> raw samples. One function a format; `read_source` finds the files."""

from __future__ import annotations

import csv
import gzip
import os
import re
import struct
import wave
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.core.errors import BadRecording
from omnibind_ros.data.recipe import Recipe, Source
from omnibind_ros.data.recording import Recording
from omnibind_ros.sensors.audio_formats import resample
from omnibind_ros.sensors.events import Events

MODEL_AUDIO_RATE = 8000
"""Audio recordings are delivered at this rate (Hz), mono."""


def read_recordings(
    recipe: Recipe, root: Path, modalities: tuple[str, ...] | None = None, label: str | None = None
) -> list[Recording]:
    """All recordings a recipe finds anywhere below `root`, in a stable order.

    Raises:
        BadRecording: `root` is no folder, or none of the asked sources is there.
    """
    if not root.is_dir():
        raise BadRecording(f"no folder of recordings at {root}; set --root or OMNIBIND_DATA")
    files = _all_files(root)
    wanted = [s for s in recipe.sources if modalities is None or s.modality in modalities]
    if not wanted:
        raise BadRecording(f"recipe {recipe.name!r} has no recordings of {', '.join(modalities or ())}")
    found = [r for source in wanted for r in read_source(source, files, root) if label in (None, r.label)]
    if not found:
        what = f" of label {label!r}" if label else ""
        raise BadRecording(
            f"no recordings{what} for {', '.join(s.name for s in wanted)} below {root}; "
            f"expected e.g. {wanted[0].path}"
        )
    return found


def read_source(source: Source, files: tuple[str, ...], root: Path) -> Iterator[Recording]:
    """The recordings of one source among `files` (paths relative to `root`)."""
    pattern = _path_pattern(source.path)
    for file in files:
        match = pattern.search(file)
        if match is None:
            continue
        parts = match.groupdict()
        for index, label, group, load in _READERS[source.reader](root / file, source, parts):
            name = match.group(0).lstrip("/") + (f"#{index}" if index is not None else "")
            yield Recording(source.modality, source.name, name, source.classes.get(label, label), group, load)


@lru_cache(maxsize=4)
def _all_files(root: Path) -> tuple[str, ...]:
    found = []
    for folder, _, names in os.walk(root, followlinks=True):
        inside = os.path.relpath(folder, root)
        found += [name if inside == "." else f"{inside}/{name}" for name in names]
    return tuple(sorted(found))


def _path_pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w*\})", path)
    holes = {"{}": "[^/]+", "{label}": "(?P<label>[^/_]+)", "{group}": "(?P<group>[^/]+?)"}
    return re.compile("(?:^|/)" + "".join(holes.get(p) or re.escape(p) for p in parts) + "$")


_Entry = tuple[int | None, str, str, Callable[[], Any]]


def _one_per_file(read: Callable[[Path], Any]) -> Callable[[Path, Source, dict[str, str]], Iterator[_Entry]]:
    def entries(file: Path, source: Source, parts: dict[str, str]) -> Iterator[_Entry]:
        yield None, parts["label"], parts.get("group", ""), partial(_readable, read, file)

    return entries


def _readable(read: Callable[[Path], Any], file: Path) -> Any:
    try:
        return read(file)
    except BadRecording:
        raise
    except Exception as error:
        raise BadRecording(f"cannot read {file}: {error}") from error


def read_wav(file: Path) -> NDArray[np.float32]:
    """16-bit PCM WAV -> float32 [n] mono at `MODEL_AUDIO_RATE`."""
    with wave.open(str(file)) as f:
        if f.getsampwidth() != 2:
            raise BadRecording(f"{file}: {8 * f.getsampwidth()}-bit samples; 16-bit PCM is expected")
        sound = np.frombuffer(f.readframes(f.getnframes()), "<i2").reshape(-1, f.getnchannels())
        rate = f.getframerate()
    mono: NDArray[np.float32] = np.asarray(sound.mean(axis=1, dtype=np.float32) / 32768, np.float32)
    return resample(mono, rate, MODEL_AUDIO_RATE)


def read_picture(file: Path) -> NDArray[np.uint8]:
    """Any picture OpenCV reads -> uint8 [H,W,3] RGB."""
    import cv2

    pixels = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if pixels is None:
        raise BadRecording(f"{file} is not a picture")
    return np.ascontiguousarray(pixels[..., ::-1])


def read_thermal_picture(file: Path) -> NDArray[np.float32]:
    """Grey or false-colour picture -> float32 [H,W] luma, which false-colour maps keep monotone."""
    from omnibind_ros.sensors.image_encodings import to_intensity

    return to_intensity(read_picture(file))


def read_points(file: Path, unit_m: float) -> NDArray[np.float32]:
    """CSV of x,y,z -> float32 [N,3] metres."""
    points = np.loadtxt(file, delimiter=",", dtype=np.float32, ndmin=2)
    if points.shape[1] != 3:
        raise BadRecording(f"{file} has {points.shape[1]} columns; x,y,z are expected")
    points *= np.float32(unit_m)
    return points


def read_bs2(file: Path) -> Events:
    """N-MNIST (Orchard et al. 2015): 5 bytes an event, x, y, polarity and 23-bit big-endian microseconds."""
    raw = np.fromfile(file, np.uint8)
    if len(raw) % 5:
        raise BadRecording(f"{file} has {len(raw)} bytes, not a multiple of 5")
    raw = raw.reshape(-1, 5)
    micros = (raw[:, 2] & 0x7F).astype(np.int64) << 16 | raw[:, 3].astype(np.int64) << 8 | raw[:, 4]
    order = np.argsort(micros, kind="stable")
    x, y, p = raw[order, 0].astype(np.uint16), raw[order, 1].astype(np.uint16), raw[order, 2] >> 7 == 1
    return Events(x, y, micros[order] * 1000, p, 34, 34)


def _bs2_entries(file: Path, source: Source, parts: dict[str, str]) -> Iterator[_Entry]:
    label = _csv_labels(file.parent / "labels.csv").get(file.name)
    if label is not None:
        yield None, label, "", partial(_readable, read_bs2, file)


@lru_cache(maxsize=8)
def _csv_labels(file: Path) -> dict[str, str]:
    if not file.exists():
        raise BadRecording(f"{file} is missing: it says which recording shows what (columns file,label)")
    with file.open() as f:
        return {row["file"]: row["label"] for row in csv.DictReader(f)}


def _idx_entries(file: Path, source: Source, parts: dict[str, str]) -> Iterator[_Entry]:
    images = _readable(_read_idx, file)
    labels = _readable(_read_idx, file.with_name(file.name.replace("images-idx3", "labels-idx1")))
    if len(images) != len(labels):
        raise BadRecording(f"{file} has {len(images)} pictures but {len(labels)} labels")
    for index, label in enumerate(labels):
        yield index, str(label), "", partial(_grey_to_rgb, images[index])


def _grey_to_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=-1)


@lru_cache(maxsize=8)
def _read_idx(file: Path) -> NDArray[np.uint8]:
    """IDX of unsigned bytes (LeCun et al., MNIST), gzipped or not."""
    data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    magic, dims = struct.unpack_from(">HBB", data)[0], data[3]
    if magic != 0 or data[2] != 8:
        raise BadRecording(f"{file} is not an IDX file of unsigned bytes")
    shape = struct.unpack_from(f">{dims}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dims).reshape(shape)


def _spike_entries(file: Path, source: Source, parts: dict[str, str]) -> Iterator[_Entry]:
    with np.load(file) as archive:
        packed, labels, writers = archive["spikes"], archive["label"], archive["writer"]
    for index, (label, writer) in enumerate(zip(labels, writers, strict=True)):
        yield index, str(label), str(writer), partial(_unpack_spikes, packed[index])


def _unpack_spikes(packed: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.unpackbits(packed, axis=-1).astype(np.float32)


def _point_entries(file: Path, source: Source, parts: dict[str, str]) -> Iterator[_Entry]:
    read = partial(read_points, unit_m=source.unit_m)
    yield None, parts["label"], parts.get("group", ""), partial(_readable, read, file)


_READERS: dict[str, Callable[[Path, Source, dict[str, str]], Iterator[_Entry]]] = {
    "wav": _one_per_file(read_wav),
    "picture": _one_per_file(read_picture),
    "thermal_picture": _one_per_file(read_thermal_picture),
    "points": _point_entries,
    "bs2": _bs2_entries,
    "idx": _idx_entries,
    "spikes": _spike_entries,
}
