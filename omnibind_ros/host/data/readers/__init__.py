"""Readers: they find recordings and their fields. One file per reader; a source's key `reader` selects it.

A reader is a `Source` with a `find` of its own. Decoding files and arrays into samples is not its task: see
`omnibind_ros.host.data.decode`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from omnibind_ros.errors import BadRecording
from omnibind_ros.host.data.decode import Decoder
from omnibind_ros.host.data.files import files_below
from omnibind_ros.host.data.recording import Recording

if TYPE_CHECKING:
    from omnibind_ros.host.data.recipe import AnySource, Recipe


def read_recordings(
    recipe: Recipe, root: Path, modalities: tuple[str, ...] | None = None, label: str | None = None
) -> list[Recording]:
    """All recordings of a recipe below `root`, in a stable order.

    Raises:
        BadRecording: `root` is not a folder, the sources have no recordings, or a table or archive cannot be
            read.
        ConfigError: a source's rules do not fit its files.
    """
    wanted = [s for s in recipe.sources if modalities is None or s.modality in modalities]
    if not wanted:
        raise BadRecording(f"recipe {recipe.name!r} has no recordings of {', '.join(modalities or ())}")
    found = [r for source in wanted for r in read_source(recipe, source, root) if label in (None, r.label)]
    if not found:
        what = f" of label {label!r}" if label else ""
        raise BadRecording(
            f"no recordings{what} for {', '.join(s.name for s in wanted)} below {root}; "
            f"expected e.g. {wanted[0].path}"
        )
    return found


def read_source(recipe: Recipe, source: AnySource, root: Path) -> Iterator[Recording]:
    """The recordings of one source, of which there may be none; raises as `read_recordings`."""
    if not root.is_dir():
        raise BadRecording(f"no data folder {root}: pass --root or set OMNIBIND_DATA")
    decoder = Decoder(recipe.preprocessor(source.modality), source.sample)
    return source.recordings(files_below(root), decoder, recipe.labels)
