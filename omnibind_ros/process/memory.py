"""Keeping the garbage collector out of a process's steady state."""

from __future__ import annotations

import gc


def freeze() -> None:
    """Exempt what exists now from garbage collection: it stays, and a pass over it holds an answer up for 30
    ms."""
    gc.collect()
    gc.freeze()
