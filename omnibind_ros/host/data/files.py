"""The files below a folder, found by patterns such as `audio/{label}_{group}_{}.wav`.

A pattern is the end of a path. Braces mark a placeholder: `{name}` matches as few characters as possible and
becomes a field of that name, `{name:regex}` matches a regular expression, `{}` matches anything without a
slash. A name used twice must match the same text both times.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_PLACEHOLDER = re.compile(r"\{(\w*)(?::((?:[^{}]|\{[^{}]*\})*))?\}")


@dataclass(frozen=True)
class Found:
    """A file that matches.

    Attributes:
        name: the part of the path that the pattern describes; the same wherever the root is.
        fields: the texts that the placeholders match.
    """

    file: Path
    name: str
    fields: dict[str, str]


@dataclass(frozen=True)
class Files:
    """All files below `root`; `paths` are relative to it, with '/' as separator, sorted."""

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
    """Every file below a folder, symbolic links included; hidden files and folders are left out."""
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
        ValueError: a placeholder's regular expression is not valid, or a brace has no partner.
    """
    parts, end, seen = [], 0, set[str]()
    for mark in _PLACEHOLDER.finditer(pattern):
        parts.append(_plain(pattern[end : mark.start()]))
        name, expression = mark.group(1), mark.group(2)
        if name in seen:
            parts.append(f"(?P={name})")
        elif name:
            parts.append(f"(?P<{name}>{expression or '[^/]+?'})")
            seen.add(name)
        else:
            parts.append(f"(?:{expression or '[^/]+'})")
        end = mark.end()
    parts.append(_plain(pattern[end:]))
    try:
        return re.compile("(?:^|/)" + "".join(parts) + "$")
    except re.error as error:
        raise ValueError(f"{pattern!r} has an invalid regular expression: {error}") from error


def _plain(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError(f"unmatched brace in {text!r}; a placeholder is {{}}, {{name}} or {{name:regex}}")
    return re.escape(text)
