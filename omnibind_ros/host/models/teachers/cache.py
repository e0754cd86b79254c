"""A teacher's answers, kept on disk by the hash of teacher and question.

One SQLite file: a write is whole or not there, and several processes may use it at once.
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
from omnibind_ros.host.models.teachers.teacher import Picture, Teacher, Vectors

Question = TypeVar("Question")

_WAIT_S = 60.0
_AT_ONCE = 256


class CachedTeacher:
    """A teacher that is asked everything once.

    Args:
        teacher: who is asked.
        file: where the answers are kept; made if it is not there.
    """

    def __init__(self, teacher: Teacher, file: Path) -> None:
        self._teacher, self._file = teacher, file
        self.id = teacher.id

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """As the teacher does."""
        keys = [self._key(b"text", text.encode()) for text in texts]
        return self._answer(keys, texts, self._teacher.encode_texts)

    def encode_images(self, images: Sequence[Picture]) -> Vectors:
        """As the teacher does."""
        keys = [self._key(b"image", str(i.shape).encode(), np.ascontiguousarray(i).data) for i in images]
        return self._answer(keys, images, self._teacher.encode_images)

    def _key(self, *parts: bytes | memoryview) -> bytes:
        digest = hashlib.sha256(self.id.encode())
        for part in parts:
            digest.update(b"\0")
            digest.update(part)
        return digest.digest()

    def _answer(
        self, keys: list[bytes], questions: Sequence[Question], ask: Callable[[Sequence[Question]], Vectors]
    ) -> Vectors:
        if not keys:
            return ask(questions)
        try:
            with closing(sqlite3.connect(self._file, timeout=_WAIT_S)) as cache:
                known = self._known(cache, keys)
                first_of = {key: n for n, key in enumerate(keys) if key not in known}
                missing = list(first_of)
                for start in range(0, len(missing), _AT_ONCE):
                    part = missing[start : start + _AT_ONCE]
                    answers = ask([questions[first_of[key]] for key in part])
                    known.update(zip(part, answers, strict=True))
                    with cache:
                        cache.executemany(
                            "INSERT OR IGNORE INTO answers VALUES (?, ?)",
                            [(key, known[key].tobytes()) for key in part],
                        )
        except sqlite3.DatabaseError as error:
            raise ConfigError(
                f"{self._file}: the teacher's cache: {error}; delete it if it is damaged"
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
