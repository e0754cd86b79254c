"""Settings as flat parameters, the way ROS 2 nodes have them.

    FusionSettings.freshness.min_timeout_s   <->   freshness.min_timeout_s
    null                                     <->   "" of a text, -1 of a number
    {audio: 1.5, touch: 4.0}                 <->   the same, as text

What a setting is called, what it means, its default and its range are said once, in the settings class.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from omnibind_ros.config.strict_yaml import Document, KeyPath, StrictModel, parse_yaml
from omnibind_ros.errors import ConfigError

Value = bool | int | float | str | tuple[str, ...]
M = TypeVar("M", bound=StrictModel)

_NULL: Mapping[type, Any] = {str: "", float: -1.0, int: -1}
"""What stands for null: ROS 2 parameters have none."""


@dataclass(frozen=True)
class Setting:
    """One parameter.

    Attributes:
        name: with dots, as nested in the settings class.
        kind: bool, int, float, str, tuple (of str), or dict (written as text).
        default: in parameter form; "" for what must be given.
        description: what it means, for a person.
        minimum, maximum: of a number, allowed themselves; None = unbounded.
        may_be_null: null is among its values.
    """

    name: str
    kind: type
    default: Value
    description: str
    minimum: float | None = None
    maximum: float | None = None
    may_be_null: bool = False


class ParameterError(ConfigError):
    """A parameter cannot have that value. `name`: which; "" where several do not go together."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"parameter {name}: {problem}" if name else problem)
        self.name = name


@cache
def settings_of(model: type[StrictModel]) -> tuple[Setting, ...]:
    """All parameters of a settings class."""
    return tuple(_settings(model))


def to_parameters(settings: StrictModel) -> dict[str, Value]:
    """The parameters of some settings that differ from their defaults."""
    values = dict(_leaves(settings.model_dump()))
    written = {
        s.name: _written(s.kind, values[s.name]) for s in settings_of(type(settings)) if s.name in values
    }
    defaults = {s.name: s.default for s in settings_of(type(settings))}
    return {name: value for name, value in written.items() if value != defaults[name]}


def from_parameters(model: type[M], values: Mapping[str, Any]) -> M:
    """The settings of some parameters, which may be as loosely typed as on a command line.

    Raises:
        ParameterError: one line that names the parameter.
    """
    nested: dict[str, Any] = {}
    for setting in settings_of(model):
        value = values.get(setting.name, setting.default)
        if value != setting.default:
            _put(nested, setting.name.split("."), _read(setting, value))
    return _Parameters(Path(), nested, {}).validate(model)


class _Parameters(Document):
    """Values that have no line in a file."""

    def error(self, key_path: KeyPath, problem: str) -> ConfigError:
        missing = problem.startswith("this key is missing")
        return ParameterError(".".join(key_path), "must be given" if missing else problem)


# -------- what a class says of its fields


def _settings(model: type[BaseModel], prefix: str = "") -> Iterator[Setting]:
    texts = _texts(model)
    # Validation may fill in what a default leaves out, so an instance is asked where there can be one.
    required = any(field.is_required() for field in model.model_fields.values())
    defaults = vars(model()) if not required else {}
    for name, field in model.model_fields.items():
        wanted, limits, may_be_null = _bare(field)
        if inspect.isclass(wanted) and issubclass(wanted, BaseModel):
            yield from _settings(wanted, f"{prefix}{name}.")
            continue
        kind, text = get_origin(wanted) or wanted, texts.get(name, "")
        if kind is Literal:
            kind, text = str, f"{text} ({', '.join(map(str, get_args(wanted)))})"
        default = None if field.is_required() else defaults.get(name, field.default)
        minimum, maximum = _range(limits)
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


def _range(limits: list[Any]) -> tuple[float | None, float | None]:
    minimum = maximum = None
    for limit in limits:
        if isinstance(limit, Ge):
            minimum = float(limit.ge)  # type: ignore[arg-type]
        elif isinstance(limit, Gt):
            minimum = float(limit.gt)  # type: ignore[arg-type]
        elif isinstance(limit, Le):
            maximum = float(limit.le)  # type: ignore[arg-type]
    return minimum, maximum


def _texts(model: type[BaseModel]) -> dict[str, str]:
    """The string below each field of a class, also of inherited ones; none where there is no source."""
    texts: dict[str, str] = {}
    for parent in reversed(model.__mro__):
        if not issubclass(parent, StrictModel):
            continue
        try:
            (body,) = ast.parse(textwrap.dedent(inspect.getsource(parent))).body
        except (OSError, SyntaxError):
            continue
        statements = body.body if isinstance(body, ast.ClassDef) else []
        for statement, below in pairwise(statements):
            if (
                isinstance(statement, ast.AnnAssign)
                and isinstance(statement.target, ast.Name)
                and isinstance(below, ast.Expr)
                and isinstance(below.value, ast.Constant)
            ):
                texts[statement.target.id] = str(below.value.value)
    return texts


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
    """A value as validation wants it; what cannot be is left for validation to refuse."""
    if setting.may_be_null and value == _NULL[setting.kind]:
        return None
    if setting.kind is float and type(value) is int:
        return float(value)
    if setting.kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if setting.kind is tuple:
        if isinstance(value, str):
            return (value,) if value else ()
        return tuple(value) if isinstance(value, Iterable) else value
    if setting.kind is dict and isinstance(value, str):
        try:
            return parse_yaml(value or "{}", Path()).data
        except ConfigError as error:
            raise ParameterError(setting.name, f"{value!r} is not like {{audio: 1.5}}") from error
    return value


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
