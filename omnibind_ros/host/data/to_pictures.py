"""Recordings of other sensors as pictures, so that an image teacher can tell what an unlabelled one shows.

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
    """The picture that belongs to a recording: that of its moment, else the sample itself as a picture.

    Args:
        pictures: what cameras recorded; recordings of the same moment share their `pair`.
    """

    def __init__(self, pictures: Iterable[Recording]) -> None:
        self._of_moment = {p.pair or p.name: p for p in pictures}

    def __call__(self, recording: Recording) -> Picture | None:
        """uint8 [H,W,3], or None: no camera recorded that moment, and the modality has no `to_picture`.

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
    """Recordings as recordings of pictures, those that can be shown."""
    return [
        Recording("image", f"{r.source} shown", f"{r.name} shown", r.label, r.group, partial(_show, r, show))
        for r in recordings
        if (show := renderer(r.modality)) is not None
    ]


def renderer(modality: Modality) -> Callable[[Any], Picture] | None:
    """What makes a picture uint8 [H,W,3] of a raw sample; None where nothing does (sound, text)."""
    known = find(modality)
    return known.to_picture.load() if known is not None and known.to_picture is not None else None


def _show(recording: Recording, show: Callable[[Any], Picture]) -> Picture:
    return show(recording.load())
