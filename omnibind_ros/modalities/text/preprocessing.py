"""Typed or transcribed text: a bag of words and letter triples, hashed into a fixed vector.

This is the feature hashing of Weinberger et al. (2009) over the subword units of fastText (Bojanowski et al.,
2017): no vocabulary to ship, unknown words still share their triples with known ones.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from omnibind_ros.modalities.preprocessor import Check, SingleShotPreprocessor

_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class TextFormat:
    """Preprocessing constants of `text`.

    Attributes:
        buckets: length of the hashed vector.
        longest: characters of a message that are read.
    """

    buckets: int = 1024
    longest: int = 512


class TextPreprocessor(SingleShotPreprocessor):
    """`std_msgs/String`; raw sample: str."""

    modality = "text"
    Format = TextFormat
    format: TextFormat

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (1, self.format.buckets)

    def decode(self, message: Any) -> str:
        return str(message.data)

    def check(self, raw: str) -> Check:
        return Check(1.0) if _WORD.search(raw[: self.format.longest]) else Check(0.0, "no words")

    def prepare(self, raw: str) -> NDArray[np.float32]:
        plain = unicodedata.normalize("NFKC", raw[: self.format.longest]).lower()
        units: list[str] = []
        for word in _WORD.findall(plain):
            framed = f"<{word}>"
            units.append(framed)
            units += [framed[i : i + 3] for i in range(len(framed) - 2)]
        cells = np.fromiter(
            (crc32(unit.encode()) % self.format.buckets for unit in units), np.intp, len(units)
        )
        counts = np.bincount(cells, minlength=self.format.buckets).astype(np.float32)
        return (counts / max(float(np.linalg.norm(counts)), 1e-9))[None]
