"""Valid sensor names, and the nearest valid name for errors about mistyped ones."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from omnibind_ros.errors import ConfigError

_SENSOR_NAME = re.compile(r"[a-z][a-z0-9_]*")


def check_sensor_name(name: str) -> str:
    """Return `name` if it can stand in a topic (`[a-z][a-z0-9_]*`).

    Raises:
        ConfigError: it cannot; proposes a name that can.
    """
    if _SENSOR_NAME.fullmatch(name):
        return name
    proposal = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")
    if not _SENSOR_NAME.fullmatch(proposal):
        proposal = f"sensor_{proposal}".rstrip("_")
    raise ConfigError(
        f"sensor name {name!r} cannot stand in a topic: use lower-case letters, digits and '_', "
        f"a letter first, e.g. {proposal!r}"
    )


def nearest(name: str, valid: Iterable[str]) -> str:
    """`; did you mean 'x'?` or `; valid: a, b, c`: the tail of an error about an unknown name."""
    valid = list(valid)
    close = difflib.get_close_matches(name, valid, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; valid: {', '.join(valid)}"
