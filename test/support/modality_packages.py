"""Packages that bring a modality, as far as the registry can tell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from omnibind_ros.modalities import registry


@contextmanager
def rediscovered(*packages: str) -> Iterator[None]:
    """The registry looks for packages anew, inside and afterwards; `packages` are imported anew, too."""
    _forget(packages)
    try:
        yield
    finally:
        _forget(packages)


def _forget(packages: tuple[str, ...]) -> None:
    for found in (registry.names, registry.definition, registry.definitions, registry._offered):
        found.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] in packages]:
        del sys.modules[name]
