"""Which modalities there are: every folder here, and what other packages offer by entry point.

    [project.entry-points."omnibind_ros.modalities"]
    laser_scan = "my_package.laser_scan:DEFINITION"

`docs/your_sensor.md` walks through one. Nothing heavy is imported before a preprocessor is made.
"""

from __future__ import annotations

import logging
from dataclasses import fields
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from pkgutil import iter_modules
from typing import Any

from omnibind_ros import modalities
from omnibind_ros.errors import ConfigError
from omnibind_ros.modalities.definition import ModalityDefinition
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.names import nearest
from omnibind_ros.types import Modality

_log = logging.getLogger(__name__)

ENTRY_POINTS = "omnibind_ros.modalities"
"""Group of the entry points; each names a `ModalityDefinition`."""

ORDER: tuple[Modality, ...] = ("image", "text", "audio", "event", "touch", "thermal", "point_cloud")
"""These come first, since simulated scenes number their random streams so; all others follow by name."""


@cache
def names() -> tuple[Modality, ...]:
    """All modalities: those of `ORDER`, other built-in ones, those of other packages."""
    return (*_built_in(), *_offered())


def find(name: Modality) -> ModalityDefinition | None:
    """The definition of a modality; None for one that is not known here, such as a bundle's own.

    Raises:
        ConfigError: another package offers it but cannot be used.
    """
    return definition(name) if name in names() else None


@cache
def definition(name: Modality) -> ModalityDefinition:
    """The definition of a modality.

    Raises:
        ConfigError: no such modality, or another package offers it but cannot be used.
    """
    if name in _built_in():
        return _built_in()[name]
    if name in _offered():
        return _loaded(_offered()[name])
    raise ConfigError(f"no modality {name!r}{nearest(name, names())}")


def having(part: str) -> tuple[Modality, ...]:
    """The modalities whose definition has a part, e.g. `simulate`."""
    return tuple(known.name for known in definitions() if getattr(known, part) is not None)


@cache
def definitions() -> tuple[ModalityDefinition, ...]:
    """All definitions in the order of `names`; those that cannot be used are left out, with a warning."""
    found = []
    for name in names():
        try:
            found.append(definition(name))
        except ConfigError as error:
            _log.warning("%s", error)
    return tuple(found)


def make_preprocessor(
    modality: Modality, preprocessing: dict[str, Any] | None = None, **options: Any
) -> Preprocessor:
    """Build the preprocessor of a sensor.

    Args:
        modality: a modality, or the bundle's own name for one whose `preprocessing` names it as `adaptor`.
        preprocessing: constants from the bundle's manifest; missing ones take the format's defaults.
        options: how this one device encodes its messages (e.g. `sample_format`, `rate` of a microphone).

    Raises:
        ConfigError: unknown modality, constant or option; the line names the nearest valid name.
    """
    constants = dict(preprocessing or {})
    kind = definition(str(constants.pop("adaptor", modality))).preprocessor.load()
    valid = [field.name for field in fields(kind.Format)]
    for key in constants:
        if key not in valid:
            raise ConfigError(f"preprocessing of {modality!r}: unknown constant {key!r}{nearest(key, valid)}")
    known = [name for name in signature(kind).parameters if name != "format"]
    for key in options:
        if key not in known:
            hint = nearest(key, known) if known else ""
            raise ConfigError(f"a {modality} sensor has no option {key!r}{hint}")
    return kind(kind.Format(**constants), **options)


@cache
def _built_in() -> dict[Modality, ModalityDefinition]:
    """Of every folder beside this file."""
    folders = sorted(found.name for found in iter_modules(modalities.__path__) if found.ispkg)
    ordered = sorted(folders, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    return {name: import_module(f"{modalities.__name__}.{name}").DEFINITION for name in ordered}


@cache
def _offered() -> dict[Modality, EntryPoint]:
    """By other packages, not imported yet."""
    offered: dict[Modality, EntryPoint] = {}
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        if entry.name in _built_in() or entry.name in offered:
            _log.warning("modality %r is there already; %s is left out", entry.name, _origin(entry))
        else:
            offered[entry.name] = entry
    return offered


def _loaded(entry: EntryPoint) -> ModalityDefinition:
    try:
        found = entry.load()
    except Exception as error:  # whatever a foreign module raises
        raise ConfigError(
            f"modality {entry.name!r}: cannot import {_origin(entry)}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, ModalityDefinition):
        raise ConfigError(f"modality {entry.name!r}: {_origin(entry)} is not a ModalityDefinition")
    if found.name != entry.name:
        raise ConfigError(
            f"modality {entry.name!r}: {_origin(entry)} has the name {found.name!r}; give both the same name"
        )
    return found


def _origin(entry: EntryPoint) -> str:
    return f"{entry.value} of {entry.dist.name}" if entry.dist else entry.value
