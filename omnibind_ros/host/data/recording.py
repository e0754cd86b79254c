"""One recording: its label and group, and how to read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Recording:
    """A handle to a recording; `load` reads it.

    Attributes:
        label: a label of the recipe, or None for a negative (none of the labels).
        group: speaker, writer or session; "" where it is not known.
        name: unique and stable: the path within the source, with an index in files of many recordings.
        load: reads the raw sample (see `omnibind_ros.modalities`); raises BadRecording.
        pair: shared by recordings of the same moment by several sensors (true pairs); "" without partners.
        file: on disk; None for a simulated recording.
    """

    modality: str
    source: str
    name: str
    label: str | None
    group: str
    load: Callable[[], Any]
    pair: str = ""
    file: Path | None = None
