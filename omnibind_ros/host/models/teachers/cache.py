"""Cache of a teacher's embeddings on disk, by a hash of the teacher and its input.

It is one SQLite file: writes are atomic, and several processes may use it at once.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.models.teachers.teacher import Teacher, Vectors
from omnibind_ros.modalities.definition import Picture

Input = TypeVar("Input")

_WAIT_S = 60.0  # for another process that is writing
_BATCH = 256


class CachedTeacher:
    """A teacher whose embeddings are computed once.

    Args:
        file: of the cache; created if it does not exist.
    """

    def __init__(self, teacher: Teacher, file: Path) -> None:
        self._teacher, self._file = teacher, file
        self.id = teacher.id

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """As the teacher embeds them."""
        keys = [self._key(b"text", text.encode()) for text in texts]
        return self._embed(keys, texts, self._teacher.encode_texts)

    def encode_images(self, images: Sequence[Picture]) -> Vectors:
        """As the teacher embeds them."""
        keys = [self._key(b"image", str(i.shape).encode(), np.ascontiguousarray(i).data) for i in images]
        return self._embed(keys, images, self._teacher.encode_images)

    def _key(self, *parts: bytes | memoryview) -> bytes:
        digest = hashlib.sha256(self.id.encode())
        for part in parts:
            digest.update(b"\0")
            digest.update(part)
        return digest.digest()

    def _embed(
        self, keys: list[bytes], inputs: Sequence[Input], encode: Callable[[Sequence[Input]], Vectors]
    ) -> Vectors:
        if not keys:
            return encode(inputs)
        try:
            with closing(sqlite3.connect(self._file, timeout=_WAIT_S)) as cache:
                known = self._known(cache, keys)
                first_of = {key: n for n, key in enumerate(keys) if key not in known}
                missing = list(first_of)
                for start in range(0, len(missing), _BATCH):
                    part = missing[start : start + _BATCH]
                    vectors = encode([inputs[first_of[key]] for key in part])
                    known.update(zip(part, vectors, strict=True))
                    with cache:
                        cache.executemany(
                            "INSERT OR IGNORE INTO answers VALUES (?, ?)",
                            [(key, known[key].tobytes()) for key in part],
                        )
        except sqlite3.DatabaseError as error:
            raise ConfigError(
                f"cannot use the teacher's cache {self._file}: {error}; delete it if it is damaged"
            ) from error
        return np.stack([known[key] for key in keys])

    @staticmethod
    def _known(cache: sqlite3.Connection, keys: list[bytes]) -> dict[bytes, Vectors]:
        with cache:
            cache.execute(
                "CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, vector BLOB) WITHOUT ROWID"
            )
        known = {}
        for key in set(keys):
            row = cache.execute("SELECT vector FROM answers WHERE key = ?", (key,)).fetchone()
            if row is not None:
                known[key] = np.frombuffer(row[0], np.float32)
        return known
