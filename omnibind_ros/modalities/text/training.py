"""Recordings of text, one message a file, and how its student is trained."""

from __future__ import annotations

from pathlib import Path

from omnibind_ros.modalities.files import FileFormats


def read_text(file: Path, format: object) -> str:
    """UTF-8 without the white space around it."""
    return file.read_text(encoding="utf-8").strip()


FILES = FileFormats(readers={".txt": read_text})


STUDENT = {"samples": 60_000, "batch": 128}
