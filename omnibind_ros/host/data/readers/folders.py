"""`reader: folders`: a folder per class, one file per recording, at any depth inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import partial
from typing import Literal

from omnibind_ros.host.data.decode import Decoder
from omnibind_ros.host.data.files import Files
from omnibind_ros.host.data.source import Entry, Source


class FolderSource(Source):
    """Files below `path/<class>/`; the field {label} is the name of the folder, {file} that of the file."""

    reader: Literal["folders"]
    path: str
    """the folder that has the folders of classes; `.` is the root itself"""
    files: str | None = None
    """which files, e.g. `*.jpg`; by default all formats of the modality"""

    def find(self, files: Files, decoder: Decoder) -> Iterator[Entry]:
        folder = self.path.strip("/")
        start = "^" if folder in ("", ".") else f"(?:^|/){re.escape(folder)}/"
        for found in files.matching(re.compile(start + r"(?P<label>[^/]+)/(?:.*/)?(?P<file>[^/]+)$")):
            file = found.fields["file"]
            if fnmatch(file, self.files) if self.files else decoder.knows(file):
                yield Entry(found.name, found.fields, found.file, partial(decoder.read, found.file))
