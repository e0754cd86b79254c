"""The embedding space an encoder was trained into. Two embeddings compare only within one space."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Space:
    """Name and dimension of an embedding space.

    Attributes:
        id: free text that identifies teacher, training run and centring, e.g. `all-MiniLM-L6-v2/digits/1`.
        dim: D, the length of an embedding.
    """

    id: str
    dim: int

    @cached_property
    def tag(self) -> int:
        """What crosses the wire instead of the id: the first 4 bytes of its SHA-256, little endian."""
        return int.from_bytes(hashlib.sha256(self.id.encode()).digest()[:4], "little")
