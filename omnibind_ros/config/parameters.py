"""Settings as flat parameters, the form in which ROS 2 nodes have them.

    FusionSettings.freshness.min_timeout_s   <->   freshness.min_timeout_s
    null                                     <->   "" for a string, -1 for a number
    {audio: 1.5, touch: 4.0}                 <->   the same, as a string

Name, meaning, default and range of a setting are defined once, in the settings class.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from omnibind_ros.config.strict_yaml import Document, KeyPath, StrictModel, parse_yaml
from omnibind_ros.errors import ConfigError

Value = bool | int | float | str | tuple[str, ...]


class Settings(StrictModel):
    """Base of settings classes: the docstring below a field is its description."""

    model_config = ConfigDict(use_attribute_docstrings=True)


M = TypeVar("M", bound=Settings)

_NULL: Mapping[type, Any] = {str: "", float: -1.0, int: -1}
"""ROS 2 parameters have no null; these values replace it."""


@dataclass(frozen=True)
class Setting:
    """One parameter.

    Attributes:
        name: with dots, as nested in the settings class.
        kind: bool, int, float, str, tuple (of str), or dict (written as a string).
        default: in parameter form; "" for a required setting.
        description: for a person.
        minimum, maximum: inclusive limits of a number; None = unbounded.
        may_be_null: null is among its values.
    """

    name: str
    kind: type
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    may_be_null: bool = False

    def convert(self, value: Any) -> Any:
        """A loosely typed value in the type of this parameter; unchanged if that would lose something.

        An integer becomes a double, a whole double an integer, one string a list of it, and an empty list
        (which has no type in ROS 2) or nothing an empty list of strings.
        """
        if self.kind is float and type(value) is int:
            return float(value)
        if self.kind is int and isinstance(value, float) and value.is_integer():
            return int(value)
        if self.kind is tuple:
            if value is None or isinstance(value, str):
                return (value,) if value else ()
            return tuple(value) if isinstance(value, Iterable) else value
        return value


class ParameterError(ConfigError):
    """A parameter cannot have that value. `name`: which; "" if several values contradict each other."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"parameter {name}: {problem}" if name else problem)
        self.name = name


@cache
def settings_of(model: type[Settings]) -> tuple[Setting, ...]:
    """All parameters of a settings class."""
    return tuple(_settings(model))


def to_parameters(settings: Settings) -> dict[str, Value]:
    """The parameters of some settings that differ from their defaults."""
    values = dict(_leaves(settings.model_dump()))
    known = (setting for setting in settings_of(type(settings)) if setting.name in values)
    written = ((setting, _written(setting.kind, values[setting.name])) for setting in known)
    return {setting.name: value for setting, value in written if value != setting.default}


def from_parameters(model: type[M], values: Mapping[str, Any]) -> M:
    """The settings of some parameters, which may be as loosely typed as on a command line.

    Raises:
        ParameterError: one line that names the parameter.
    """
    nested: dict[str, Any] = {}
    for setting in settings_of(model):
        value = values.get(setting.name, setting.default)
        if type(value) is not type(setting.default) or value != setting.default:
            _put(nested, setting.name.split("."), _read(setting, value))
    return _Parameters(Path(), nested, {}).validate(model)


class _Parameters(Document):
    """Values that are not in a file."""

    def error(self, key_path: KeyPath, problem: str) -> ConfigError:
        missing = problem.startswith("this key is missing")
        return ParameterError(".".join(key_path), "must be given" if missing else problem)


# -------- the fields of a class


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    # Validation may complete a default, so defaults are taken from an instance where there can be one.
    required = any(field.is_required() for field in model.model_fields.values())
    defaults = vars(model()) if not required else {}
    for name, field in model.model_fields.items():
        wanted, limits, may_be_null = _bare(field)
        if inspect.isclass(wanted) and issubclass(wanted, BaseModel):
            yield from _settings(wanted, f"{prefix}{name}.")
            continue
        kind, text = get_origin(wanted) or wanted, field.description or ""
        if kind is Literal:
            kind, text = str, f"{text} ({', '.join(map(str, get_args(wanted)))})"
        default = None if field.is_required() else defaults.get(name, field.default)
        minimum, maximum = _limit(limits, "ge", "gt"), _limit(limits, "le", "lt")
        if may_be_null:
            text = text.replace("null", repr(_NULL[kind]))
            minimum = None if minimum is None else _NULL[kind]
        yield Setting(f"{prefix}{name}", kind, _written(kind, default), text, minimum, maximum, may_be_null)


def _bare(field: FieldInfo) -> tuple[Any, list[Any], bool]:
    """A field's type without Annotated and Optional around it, its limits, and whether it was Optional."""
    wanted, limits, optional = field.annotation, list(field.metadata), False
    while True:
        if get_origin(wanted) is Annotated:
            wanted, *more = get_args(wanted)
            limits += [limit for item in more for limit in getattr(item, "metadata", [item])]
        elif get_origin(wanted) in (Union, UnionType) and type(None) in get_args(wanted):
            (wanted,) = (argument for argument in get_args(wanted) if argument is not type(None))
            optional = True
        else:
            return wanted, limits, optional


def _limit(limits: list[Any], *kinds: str) -> float | None:
    """The value of the last of `annotated_types`' limits of some kinds."""
    values = [getattr(limit, kind) for limit in limits for kind in kinds if hasattr(limit, kind)]
    return float(values[-1]) if values else None


# -------- one value


def _written(kind: type, value: Any) -> Any:
    """A value in parameter form."""
    if value is None:
        return _NULL.get(kind, "")
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_number(item)}" for key, item in value.items()) + "}"
    return value


def _number(value: float) -> str:
    return f"{value:.12g}".replace("inf", ".inf")


def _read(setting: Setting, value: Any) -> Any:
    """A value in the form that is validated; validation refuses what cannot be converted."""
    if setting.may_be_null and value == _NULL[setting.kind]:
        return None
    if setting.kind is dict and isinstance(value, str):
        try:
            return parse_yaml(value or "{}", Path()).data
        except ConfigError as error:
            raise ParameterError(setting.name, f"{value!r} is not like {{audio: 1.5}}") from error
    return setting.convert(value)


def _leaves(nested: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in nested.items():
        yield f"{prefix}{key}", value
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")


def _put(nested: dict[str, Any], path: list[str], value: Any) -> None:
    *outer, last = path
    for key in outer:
        nested = nested.setdefault(key, {})
    nested[last] = value
