"""One recording: what it is of, who made it, and how to read it when it is wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recording:
    """A handle; nothing is read before `load`.

    Attributes:
        label: a label of the recipe, or None for a negative (none of the labels).
        group: speaker, writer or session; "" where the recordings do not say.
        name: unique and stable: the path under the source, plus an index in files that hold many.
        load: reads the raw sample (see `omnibind_ros.modalities`); raises BadRecording.
        pair: recordings of the same moment by several sensors share it (true pairs); "" = has no partners.
        file: where it lies on disk; None for what is simulated.
    """

    modality: str
    source: str
    name: str
    label: str | None
    group: str
    load: Callable[[], Any]
    pair: str = ""
    file: Path | None = None
