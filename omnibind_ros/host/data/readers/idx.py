"""`reader: idx`: images and their labels in two IDX files (LeCun et al., MNIST), gzipped or not."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data.decode import Decoder
from omnibind_ros.host.data.files import Files, compile_pattern
from omnibind_ros.host.data.source import Entry, PathPattern, Source

_DTYPES = {8: "u1", 9: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class IdxSource(Source):
    """The field {label} is the number in the file of labels."""

    reader: Literal["idx"]
    path: PathPattern
    """of the data, e.g. `images-idx3-ubyte.gz`"""
    labels: str | None = None
    """file of the labels beside it; by default the same name with `labels-idx1` for `images-idx3`"""

    def find(self, files: Files, decoder: Decoder) -> Iterator[Entry]:
        for found in files.matching(compile_pattern(self.path)):
            beside = self.labels or found.file.name.replace("images-idx3", "labels-idx1")
            data, labels = read_idx(found.file), read_idx(found.file.with_name(beside))
            if len(data) != len(labels):
                raise BadRecording(f"{found.file} has {len(data)} recordings but {len(labels)} labels")
            for index, label in enumerate(labels.tolist()):
                fields = {**found.fields, "label": str(label)}
                load = partial(decoder.array, data[index], found.file)
                yield Entry(f"{found.name}#{index}", fields, found.file, load)


@lru_cache(maxsize=8)
def read_idx(file: Path) -> NDArray[Any]:
    """The array of an IDX file; multi-byte types are big-endian as in the file.

    Raises:
        BadRecording: it is not an IDX file, or damaged.
    """
    try:
        data = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        zero, kind, dims = struct.unpack_from(">HBB", data)
        if zero != 0 or kind not in _DTYPES:
            raise BadRecording(f"{file} is not an IDX file")
        shape = struct.unpack_from(f">{dims}I", data, 4)
        return np.frombuffer(data, _DTYPES[kind], offset=4 + 4 * dims).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error) as error:
        raise BadRecording(f"cannot read {file}: {error}") from error
