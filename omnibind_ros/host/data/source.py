"""One source of recordings: what all readers have in common.

A reader finds recordings and gives each of them *fields*: the placeholders of its path's pattern, the columns
of its table, the arrays beside its data. The source's rules map fields to label, group and pair:

    label: "{label}"     -> class of the source -> (classes, drop, others) -> label of the recipe
    group: "{group}"     -> speaker, writer or session, for splits
    pair:  "{take}"      -> shared by recordings of the same moment by several sensors
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from omnibind_ros.config.strict_yaml import StrictModel
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.decode import Decoder, SampleRules
from omnibind_ros.host.data.files import Files, compile_pattern
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.names import nearest

_FIELD = re.compile(r"\{(\w+)\}")


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Name = Annotated[str, BeforeValidator(_number_as_text)]
"""A class, label or group; a number may be written without quotes."""

Names = Annotated[tuple[Name, ...], Strict(False)]


def _is_pattern(path: str) -> str:
    compile_pattern(path)
    return path


def _is_regex(text: str) -> str:
    try:
        fields = re.compile(text).groupindex
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    if text and not fields:
        raise ValueError(f"{text!r} has no named group; write e.g. '_s(?P<group>[0-9]+)'")
    return text


PathPattern = Annotated[str, AfterValidator(_is_pattern)]


class SplitRule(StrictModel):
    """Held-back recordings: listed groups as a whole, the others by a hash of the recording's name."""

    test_groups: Names = ()
    dev_groups: Names = ()
    test_share: float = Field(0.0, ge=0, le=1)
    dev_share: float = Field(0.0, ge=0, le=1)
    share_of: Literal["recordings", "groups", "pairs"] = "recordings"
    """what is assigned to a split as a whole"""
    seed: int = 0
    """another seed assigns other recordings"""


@dataclass(frozen=True)
class Entry:
    """What a reader finds: name, fields and file of a recording, and how to load it."""

    name: str
    fields: Mapping[str, str]
    file: Path
    load: Callable[[], Any]


class Source(StrictModel):
    """Recordings of one modality; each reader has keys of its own."""

    name: str
    modality: str
    label: Name = "{label}"
    """text with fields in braces: the class of a recording as the source names it"""
    group: Name | None = None
    """text with fields; by default the field {group}, if there is one"""
    pair: str = ""
    """text with fields; equal for recordings of the same moment"""
    regex: Annotated[str, AfterValidator(_is_regex)] = ""
    """named groups found in a recording's name are fields as well; others are left out"""
    classes: dict[Name, Name | None] = Field(default_factory=dict)
    """class of the source -> label of the recipe; null for a negative: none of the labels"""
    drop: Names = ()
    """classes that are left out"""
    others: Literal["refuse", "drop", "negative"] = "refuse"
    """what to do with classes that are neither mapped nor labels"""
    sample: SampleRules = SampleRules()
    licence: str = "not stated"
    split: SplitRule | None = None
    """held-back recordings; by default the recipe's split"""

    @abstractmethod
    def find(self, files: Files, decoder: Decoder) -> Iterator[Entry]:
        """All recordings of the source in a stable order; nothing is loaded.

        Raises:
            BadRecording: a table or archive that lists the recordings cannot be read.
            ConfigError: the source's keys do not fit its files.
        """

    def recordings(self, files: Files, decoder: Decoder, labels: Mapping[str, str]) -> Iterator[Recording]:
        """The recordings with their labels in the recipe.

        Raises:
            BadRecording, ConfigError: as `find`; or a field or class is unknown.
        """
        regex = re.compile(self.regex)
        for entry in self.find(files, decoder):
            match = regex.search(entry.name)
            if match is None:
                continue
            fields = {**entry.fields, **{k: v for k, v in match.groupdict().items() if v is not None}}
            mapped = self._mapped(self._filled("label", self.label, fields), labels, entry.name)
            if mapped is None:
                continue
            group = (
                fields.get("group", "") if self.group is None else self._filled("group", self.group, fields)
            )
            pair = self._filled("pair", self.pair, fields)
            yield Recording(
                self.modality, self.name, entry.name, mapped.label, group, entry.load, pair, entry.file
            )

    def _filled(self, key: str, text: str, fields: Mapping[str, str]) -> str:
        def field(match: re.Match[str]) -> str:
            name = match.group(1)
            if name not in fields:
                hint = nearest(name, sorted(fields)) if fields else "; there are no fields"
                raise ConfigError(f"source {self.name!r}: {key}: {text!r}: no field {name!r}{hint}")
            return fields[name]

        return _FIELD.sub(field, text)

    def _mapped(self, found: str, labels: Mapping[str, str], where: str) -> _Mapped | None:
        """The label of a class of the source; None if the recording is left out."""
        if found in self.drop:
            return None
        if found in self.classes:
            return _Mapped(self.classes[found])
        if found in labels:
            return _Mapped(found)
        if self.others == "refuse":
            raise ConfigError(
                f"source {self.name!r}: class {found!r} of {where} is not a label of the recipe"
                f"{nearest(found, labels)}; map it in 'classes', list it in 'drop', or set 'others'"
            )
        return _Mapped(None) if self.others == "negative" else None


@dataclass(frozen=True)
class _Mapped:
    label: str | None
