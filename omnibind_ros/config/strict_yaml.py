"""Strict YAML: a mistake is reported in one line with file, line, key, problem and the nearest valid name.

    robot.yaml, line 12: sensors.microphone.modalty: unknown key; did you mean 'modality'?

Files follow the YAML 1.2 core schema: `1e-3` is a number, `on`, `no` and `2025-01-31` are strings (in
PyYAML's own schema, YAML 1.1, they are a string, two booleans and a date). Duplicate keys are refused. A
pydantic model then validates the values strictly: a string is not accepted as a number.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from omnibind_ros.errors import ConfigError
from omnibind_ros.names import nearest

KeyPath = tuple[str, ...]


class StrictModel(BaseModel):
    """Base of all models read from YAML: frozen, no unknown keys, no implicit conversions, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


M = TypeVar("M", bound=BaseModel)


def load_yaml(path: str | Path, model: type[M]) -> M:
    """Read and validate a file.

    Raises:
        ConfigError: one line that names file, line and key.
    """
    return read_yaml(path).validate(model)


def read_yaml(path: str | Path) -> Document:
    """Read a file without validating it yet; an empty file is an empty mapping.

    Raises:
        ConfigError: unreadable file, YAML syntax, or a key given twice.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> Document:
    """Parse text as if it were the content of the file `path`.

    Raises:
        ConfigError: YAML syntax, or a key given twice.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        lines = _line_of_each_key(root, path)
        data = loader.construct_document(root) if root is not None else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = " ".join(str(error.problem or error.context).split())
        raise ConfigError(f"{where}: not valid YAML: {problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not valid YAML: nested too deeply") from error
    finally:
        loader.dispose()
    return Document(path, data, lines)


def dump_yaml(data: Any) -> str:
    """YAML text that `read_yaml` reads back as the same values; the order of keys is kept."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=110)


@dataclass(frozen=True)
class Document:
    """A YAML file's values, and the line of each key."""

    path: Path
    data: Any
    lines: dict[KeyPath, int]

    def error(self, key_path: KeyPath, problem: str) -> ConfigError:
        """An error about one key, with its line in the file."""
        subject = f"{'.'.join(key_path)}: " if key_path else ""
        one_line = " ".join(f"{subject}{problem}".split())
        return ConfigError(f"{self.path}, line {self.line(key_path)}: {one_line}")

    def line(self, key_path: KeyPath) -> int:
        """Line of a key, or of the innermost existing mapping around it."""
        while key_path and key_path not in self.lines:
            key_path = key_path[:-1]
        return self.lines.get(key_path, 1)

    def validate(self, model: type[M]) -> M:
        """The values as a `model`; the first mistake is reported, further ones are counted.

        Raises:
            ConfigError: one line that names file, line and key.
        """
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            mistakes = [_Mistake(details, model) for details in error.errors(include_url=False)]
        # A missing key is often the misspelt key beside it, so missing keys are reported last.
        first = min(mistakes, key=lambda mistake: (mistake.is_missing, self.line(mistake.key_path)))
        others = len(mistakes) - 1
        count = f" (and {others} more mistake{'s' if others > 1 else ''})" if others else ""
        raise self.error(first.key_path, first.problem + count)


class _Mistake:
    """One pydantic error as key path and problem."""

    def __init__(self, details: Any, model: type[BaseModel]) -> None:
        location = tuple(piece for piece in details["loc"] if piece != "[key]")
        self.key_path, wanted, around = _resolve(model, location)
        self.is_missing = details["type"] in ("missing", "union_tag_not_found")
        if details["type"].startswith("union_tag"):
            self._find_tag(details)
        self.problem = self._problem(details, wanted, around)

    def _find_tag(self, details: Any) -> None:
        """Locate the error at the discriminator of a tagged union, or at its probable misspelling."""
        tag = details["ctx"]["discriminator"].strip("'")
        slips = difflib.get_close_matches(tag, [str(key) for key in details["input"]], n=1)
        if slips and details["type"] == "union_tag_not_found":
            details["type"], tag, self.is_missing = "misspelt_tag", slips[0], False
        self.key_path = (*self.key_path, tag)

    def _problem(self, details: Any, wanted: Any, around: Any) -> str:
        kind, value = details["type"], details["input"]
        if kind == "missing":
            return "this key is missing"
        if kind == "extra_forbidden":
            return f"unknown key{nearest(self.key_path[-1], _keys(around))}"
        if kind == "literal_error":
            return f"{value!r} is not valid{nearest(str(value), _choices(wanted))}"
        if kind == "misspelt_tag":
            return f"unknown key; did you mean {details['ctx']['discriminator']}?"
        if kind == "union_tag_not_found":
            return f"this key is missing; valid: {', '.join(_tags(wanted))}"
        if kind == "union_tag_invalid":
            return f"{details['ctx']['tag']!r} is not valid{nearest(details['ctx']['tag'], _tags(wanted))}"
        if kind == "value_error":
            return str(details["ctx"]["error"])
        if kind in ("model_type", "dict_type", "model_attributes_type"):
            return f"should be a mapping of keys to values, not {_shown(value)}"
        if kind == "tuple_type":
            return f"should be a list, e.g. [a, b], not {_shown(value)}"
        return f"{details['msg'].replace('Input should', 'should')}, not {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "null" if value is None else repr(value)


def _resolve(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[KeyPath, Any, Any]:
    """A pydantic location as the path of keys in the file, the type expected there, and the type around it.

    Pydantic's location contains the tag of a tagged union; the file's key path does not.
    """
    keys: list[str] = []
    wanted: Any = model
    around: Any = None
    for piece in location:
        chosen = _tags(wanted).get(str(piece))
        if chosen is not None:
            wanted = chosen
            continue
        keys.append(str(piece))
        around = wanted
        if _is_model(wanted):
            wanted = _bare(_fields(wanted).get(str(piece)))
        else:
            arguments = [a for a in get_args(wanted) if a is not Ellipsis]
            wanted = _bare(arguments[-1]) if arguments else None
    return tuple(keys), wanted, around


def _bare(annotation: Any) -> Any:
    """A type without Annotated and Optional around it; a union of several models is kept."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        options = [a for a in get_args(annotation) if a is not type(None)]
        return annotation if len(options) > 1 and all(map(_is_model, options)) else _bare(options[0])
    return annotation


def _tags(annotation: Any) -> dict[str, type[BaseModel]]:
    """The models of a tagged union, by tag."""
    if get_origin(annotation) not in (Union, UnionType):
        return {}
    return {
        choice: option
        for option in get_args(annotation)
        if _is_model(option)
        for field in option.model_fields.values()
        for choice in _choices(field.annotation)[:1]
        if field.is_required() and len(_choices(field.annotation)) == 1
    }


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """The types of a model's keys, by their names in the file."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _keys(annotation: Any) -> list[str]:
    return list(_fields(annotation)) if _is_model(annotation) else []


def _choices(annotation: Any) -> list[str]:
    return [str(a) for a in get_args(annotation)] if get_origin(annotation) is Literal else []


def _line_of_each_key(root: yaml.Node | None, path: Path) -> dict[KeyPath, int]:
    """Line number, from 1, of each key and list item, by key path."""
    lines: dict[KeyPath, int] = {}
    visited: set[int] = set()
    pending: list[tuple[KeyPath, yaml.Node]] = [((), root)] if root is not None else []
    while pending:
        key_path, node = pending.pop()
        if id(node) in visited:
            continue
        visited.add(id(node))
        for name, line, child in _children(node):
            inner = (*key_path, name)
            if inner in lines and name != "<<":
                key = ".".join(inner)
                raise ConfigError(f"{path}, line {line}: {key}: given twice, first in line {lines[inner]}")
            lines[inner] = line
            pending.append((inner, child))
    return lines


def _children(node: yaml.Node) -> Iterator[tuple[str, int, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key.value, key.start_mark.line + 1, value
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield str(index), item.start_mark.line + 1, item


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Safe loader of the YAML 1.2 core schema."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


class _Dumper(yaml.SafeDumper):
    """Quotes exactly the strings that `_Loader` would otherwise not read back as strings."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def ignore_aliases(self, data: Any) -> bool:
        return True


_FLOAT = (
    r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
# YAML 1.2.2, section 10.3.2, with `<<` of YAML 1.1. A number with a leading zero is octal in one version and
# decimal in the other; here it is a string.
_CORE_SCHEMA = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", _FLOAT, list("-+0123456789.")),
    ("merge", r"<<", ["<"]),
)
for _tag, _pattern, _first in _CORE_SCHEMA:
    for _yaml in (_Loader, _Dumper):
        _yaml.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)
