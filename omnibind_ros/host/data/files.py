"""The files below a folder, found by patterns such as `audio/{label}_{group}_{}.wav`.

A pattern is the end of a path. What stands in braces is a hole: `{name}` is as little as fits and becomes a
field of that name, `{name:regex}` is what the regular expression says, `{}` is anything but a slash. A name
used twice must be the same text both times.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_HOLE = re.compile(r"\{(\w*)(?::((?:[^{}]|\{[^{}]*\})*))?\}")


@dataclass(frozen=True)
class Found:
    """A file that matches.

    Attributes:
        name: the part of the path that the pattern describes; the same wherever the root is.
        fields: what was found in the holes.
    """

    file: Path
    name: str
    fields: dict[str, str]


@dataclass(frozen=True)
class Files:
    """All files anywhere below `root`; `paths` are relative to it, with '/', sorted."""

    root: Path
    paths: tuple[str, ...]

    def matching(self, pattern: re.Pattern[str]) -> Iterator[Found]:
        """The files whose path matches, in order."""
        for path in self.paths:
            match = pattern.search(path)
            if match is not None:
                fields = {name: text for name, text in match.groupdict().items() if text is not None}
                yield Found(self.root / path, match.group(0).lstrip("/"), fields)


@lru_cache(maxsize=4)
def files_below(root: Path) -> Files:
    """Every file below a folder, links followed; hidden ones are left out."""
    found = []
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = os.path.relpath(folder, root).replace(os.sep, "/")
        visible = (name for name in names if not name.startswith("."))
        found += [name if inside == "." else f"{inside}/{name}" for name in visible]
    return Files(root, tuple(sorted(found)))


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of paths as a regular expression for `Files.matching`.

    Raises:
        ValueError: a hole's regular expression is none, or a brace stands alone.
    """
    parts, end, seen = [], 0, set[str]()
    for hole in _HOLE.finditer(pattern):
        parts.append(_plain(pattern[end : hole.start()]))
        name, expression = hole.group(1), hole.group(2)
        if name in seen:
            parts.append(f"(?P={name})")
        elif name:
            parts.append(f"(?P<{name}>{expression or '[^/]+?'})")
            seen.add(name)
        else:
            parts.append(f"(?:{expression or '[^/]+'})")
        end = hole.end()
    parts.append(_plain(pattern[end:]))
    try:
        return re.compile("(?:^|/)" + "".join(parts) + "$")
    except re.error as error:
        raise ValueError(f"{pattern!r} holds no regular expression: {error}") from error


def _plain(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError(f"a brace stands alone in {text!r}; a hole is {{}}, {{name}} or {{name:regex}}")
    return re.escape(text)
