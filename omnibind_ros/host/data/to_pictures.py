"""Recordings of other sensors rendered as pictures, so that an image teacher can embed them.

How a modality's sample becomes a picture is in `recordings.py` of its folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from omnibind_ros.host.data.recording import Recording
from omnibind_ros.modalities.definition import Picture
from omnibind_ros.modalities.registry import find
from omnibind_ros.types import Modality


class Looks:
    """The picture that belongs to a recording: that of the same moment, else the rendered sample.

    Args:
        pictures: recordings of cameras; those of the same moment share their `pair`.
    """

    def __init__(self, pictures: Iterable[Recording]) -> None:
        self._of_moment = {p.pair or p.name: p for p in pictures}

    def __call__(self, recording: Recording) -> Picture | None:
        """RGB uint8 [H, W, 3]; None if no camera recorded the moment and the modality cannot be rendered.

        Raises:
            BadRecording: the file cannot be read.
        """
        paired = self._of_moment.get(recording.pair) if recording.pair else None
        if paired is not None:
            picture: Picture = paired.load()
            return picture
        show = renderer(recording.modality)
        return show(recording.load()) if show is not None else None


def shown(recordings: Iterable[Recording]) -> list[Recording]:
    """The recordings that can be rendered, as recordings of pictures."""
    return [
        Recording("image", f"{r.source} shown", f"{r.name} shown", r.label, r.group, partial(_show, r, show))
        for r in recordings
        if (show := renderer(r.modality)) is not None
    ]


def renderer(modality: Modality) -> Callable[[Any], Picture] | None:
    """The function that renders a raw sample as RGB uint8 [H, W, 3]; None if there is none (sound, text)."""
    known = find(modality)
    return known.to_picture.load() if known is not None and known.to_picture is not None else None


def _show(recording: Recording, show: Callable[[Any], Picture]) -> Picture:
    return show(recording.load())
