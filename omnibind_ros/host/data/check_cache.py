"""Cached results of reading recordings, so that repeated checks decode nothing twice.

An entry is found by the recording's name. It is valid while the recording's file keeps its size and
modification time and the rules for reading it are the same. The cache file may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.modalities.preprocessor import Preprocessor


@dataclass(frozen=True)
class Content:
    """What is known of the content of a recording.

    Attributes:
        digest: of the raw sample; equal samples have equal digests.
        silent: the signal checks of its modality find no signal.
        problem: why it cannot be read; "" if it can.
    """

    digest: str = ""
    silent: bool = False
    problem: str = ""


class CheckCache:
    """The contents of recordings, read now or cached.

    Args:
        file: of the cache; None keeps nothing.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._before = _load(file) if file else {}
        self._now: dict[str, dict[str, Any]] = {}

    def content(self, recording: Recording, preprocessor: Preprocessor, rules: str) -> Content:
        """The content of a recording; it is read unless it is cached with the same `rules` and file."""
        key = f"{recording.source}/{recording.name}"
        state = f"{_state(recording.file)} {_digest_of_text(rules)}"
        known = self._before.get(key)
        if known is None or known.get("state") != state:
            known = {"state": state, **asdict(_read(recording, preprocessor))}
        self._now[key] = known
        return Content(*(known[field.name] for field in fields(Content)))

    def save(self) -> None:
        """Write the contents that were asked for; without write access, nothing is cached."""
        if self._file is None:
            return
        new = self._file.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new.write_text(json.dumps(self._now))
            new.replace(self._file)


def check_cache_of(recipe: str, root: Path) -> CheckCache:
    """The cache for a recipe's name and a folder of recordings, in the user's cache folder."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = _digest_of_text(f"{recipe} {root.resolve()}")
    return CheckCache(Path(cache) / "omnibind_ros" / f"seen_{name}.json")


def _load(file: Path) -> dict[str, dict[str, Any]]:
    try:
        kept = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(kept, dict):
        return {}
    wanted = {"state", *(field.name for field in fields(Content))}
    return {key: known for key, known in kept.items() if isinstance(known, dict) and wanted <= known.keys()}


def _read(recording: Recording, preprocessor: Preprocessor) -> Content:
    try:
        raw = recording.load()
    except BadRecording as error:
        return Content(problem=str(error))
    return Content(_digest(raw), preprocessor.check(raw).quality == 0.0)


def _digest(raw: Any) -> str:
    """Digest of an array, a text, or a dataclass of these."""
    sha = hashlib.sha256()
    parts = [getattr(raw, field.name) for field in fields(raw)] if is_dataclass(raw) else [raw]
    for part in parts:
        array = np.asarray(part)
        sha.update(f"{array.dtype} {array.shape}".encode())
        sha.update(np.ascontiguousarray(array).view(np.uint8).data if array.ndim else str(part).encode())
    return sha.hexdigest()[:32]


@lru_cache(maxsize=1 << 16)
def _state(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        found = file.stat()
    except OSError:
        return "gone"
    return f"{found.st_size} {found.st_mtime_ns}"


@lru_cache(maxsize=64)
def _digest_of_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
