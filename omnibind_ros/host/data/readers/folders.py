"""`reader: folders`: a folder per class, one file a recording, as deep inside as it likes."""

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
    """Files below `path/<class>/`; the folder's name is the field {label}, the file's own is {file}."""

    reader: Literal["folders"]
    path: str
    """the folder of folders, `.` = the root itself"""
    files: str | None = None
    """which files, e.g. `*.jpg`; by default all of a format that the modality knows"""

    def find(self, files: Files, decoder: Decoder) -> Iterator[Entry]:
        folder = self.path.strip("/")
        start = "^" if folder in ("", ".") else f"(?:^|/){re.escape(folder)}/"
        for found in files.matching(re.compile(start + r"(?P<label>[^/]+)/(?:.*/)?(?P<file>[^/]+)$")):
            file = found.fields["file"]
            if fnmatch(file, self.files) if self.files else decoder.knows(file):
                yield Entry(found.name, found.fields, found.file, partial(decoder.read, found.file))
