"""`reader: table`: a CSV or Parquet file with a line per recording; its columns are fields."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from omnibind_ros.errors import BadRecording, ConfigError
from omnibind_ros.host.data.decode import Decoder
from omnibind_ros.host.data.files import Files, compile_pattern
from omnibind_ros.host.data.source import Entry, PathPattern, Source


class TableSource(Source):
    """Recordings in the order of their paths, not of the lines."""

    reader: Literal["table"]
    path: PathPattern
    """of the table: .csv, .tsv or .parquet; its placeholders are fields as well"""
    file: str = "{file}"
    """path of a recording relative to the table, with columns in braces"""

    def find(self, files: Files, decoder: Decoder) -> Iterator[Entry]:
        for table in files.matching(compile_pattern(self.path)):
            inside = table.name.rpartition("/")[0]
            lines = ({**table.fields, **line} for line in read_table(table.file))
            for path, fields in sorted(((self._filled("file", self.file, f), f) for f in lines), key=_path):
                file = table.file.parent / path
                name = f"{inside}/{path}" if inside else path
                yield Entry(name, fields, file, partial(_read, decoder, file, table.file))


def _path(line: tuple[str, dict[str, str]]) -> str:
    return line[0]


def _read(decoder: Decoder, file: Path, table: Path) -> object:
    if not file.is_file():
        raise BadRecording(f"{file} does not exist, but {table} lists it")
    return decoder.read(file)


def read_table(file: Path) -> list[dict[str, str]]:
    """The lines of a table with a header; values are text.

    Raises:
        BadRecording: it cannot be read, or a line has more or fewer values than the header.
        ConfigError: the module that reads Parquet is not installed.
    """
    try:
        if file.suffix == ".parquet":
            return _read_parquet(file)
        with file.open(newline="", encoding="utf-8-sig") as f:
            reader = csv.DictReader(f, delimiter="\t" if file.suffix == ".tsv" else ",", strict=True)
            lines = [{(k or "").strip(): v for k, v in line.items()} for line in reader]
    except (OSError, ValueError, csv.Error) as error:
        raise BadRecording(f"cannot read the table {file}: {error}") from error
    for number, line in enumerate(lines):
        if "" in line or None in line.values():
            raise BadRecording(f"the table {file}: recording {number + 1} lacks values or has too many")
    return lines


def _read_parquet(file: Path) -> list[dict[str, str]]:
    try:
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise ConfigError(f"reading {file} needs pyarrow: pip install pyarrow, or write it as CSV") from error
    return [{k: str(v) for k, v in line.items()} for line in parquet.read_table(file).to_pylist()]
