"""One source of recordings: what all readers have in common.

A reader finds recordings and reads *fields* off each of them: the holes of its path's pattern, the columns of
its table, the arrays beside its data. Rules turn fields into meaning:

    label: "{label}"     -> class of the source -> (classes, drop, others) -> label of the recipe
    group: "{group}"     -> who made it, for splits
    pair:  "{take}"      -> recordings of the same moment by several sensors share it
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
"""A class, label or group; people write numbers without quotes."""

Names = Annotated[tuple[Name, ...], Strict(False)]


def _is_pattern(path: str) -> str:
    compile_pattern(path)
    return path


def _is_regex(text: str) -> str:
    try:
        fields = re.compile(text).groupindex
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
    if text and not fields:
        raise ValueError(f"{text!r} names no field; write e.g. '_s(?P<group>[0-9]+)'")
    return text


PathPattern = Annotated[str, AfterValidator(_is_pattern)]


class SplitRule(StrictModel):
    """Who is held back. Groups go as a whole; what is left is split by a hash of the recording's name."""

    test_groups: Names = ()
    dev_groups: Names = ()
    test_share: float = Field(0.0, ge=0, le=1)
    dev_share: float = Field(0.0, ge=0, le=1)
    share_of: Literal["recordings", "groups", "pairs"] = "recordings"
    """what stays together when shares are drawn"""
    seed: int = 0
    """another seed draws other shares"""


@dataclass(frozen=True)
class Entry:
    """What a reader found: a name, the fields it read, and how to read the rest."""

    name: str
    fields: Mapping[str, str]
    file: Path
    load: Callable[[], Any]


class Source(StrictModel):
    """Recordings of one modality; each reader adds its own keys."""

    name: str
    modality: str
    label: Name = "{label}"
    """text with fields in braces: the class of a recording in the words of the source"""
    group: Name | None = None
    """likewise; by default the field {group}, if there is one"""
    pair: str = ""
    """likewise; same text, same moment"""
    regex: Annotated[str, AfterValidator(_is_regex)] = ""
    """named groups found in a recording's name are fields too; recordings without a match are left out"""
    classes: dict[Name, Name | None] = Field(default_factory=dict)
    """class of the source -> label of the recipe; null = a negative: none of the labels"""
    drop: Names = ()
    """classes that are left out"""
    others: Literal["refuse", "drop", "negative"] = "refuse"
    """what becomes of classes that are neither mapped nor labels"""
    sample: SampleRules = SampleRules()
    licence: str = "not stated"
    split: SplitRule | None = None
    """who is held back; by default what the recipe says"""

    @abstractmethod
    def find(self, files: Files, decoder: Decoder) -> Iterator[Entry]:
        """Everything that there is, in a stable order, not read yet.

        Raises:
            BadRecording: what lists the recordings (a table, an archive) cannot be read.
            ConfigError: the source's keys do not fit what was found.
        """

    def recordings(self, files: Files, decoder: Decoder, labels: Mapping[str, str]) -> Iterator[Recording]:
        """What was found, with its meaning in the recipe.

        Raises:
            BadRecording, ConfigError: as `find`; a field or a class is not known.
        """
        regex = re.compile(self.regex)
        for entry in self.find(files, decoder):
            match = regex.search(entry.name)
            if match is None:
                continue
            fields = {**entry.fields, **{k: v for k, v in match.groupdict().items() if v is not None}}
            meaning = self._meaning(self._filled("label", self.label, fields), labels, entry.name)
            if meaning is None:
                continue
            group = (
                fields.get("group", "") if self.group is None else self._filled("group", self.group, fields)
            )
            pair = self._filled("pair", self.pair, fields)
            yield Recording(
                self.modality, self.name, entry.name, meaning.label, group, entry.load, pair, entry.file
            )

    def _filled(self, key: str, text: str, fields: Mapping[str, str]) -> str:
        def field(hole: re.Match[str]) -> str:
            name = hole.group(1)
            if name not in fields:
                hint = nearest(name, sorted(fields)) if fields else "; it has no fields"
                raise ConfigError(f"source {self.name!r}: {key}: {text!r}: no field {name!r}{hint}")
            return fields[name]

        return _FIELD.sub(field, text)

    def _meaning(self, found: str, labels: Mapping[str, str], where: str) -> _Meaning | None:
        """The label of a class of the source; None = left out."""
        if found in self.drop:
            return None
        if found in self.classes:
            return _Meaning(self.classes[found])
        if found in labels:
            return _Meaning(found)
        if self.others == "refuse":
            raise ConfigError(
                f"source {self.name!r}: {where} is of class {found!r}, which is no label of the recipe"
                f"{nearest(found, labels)}; map it in 'classes', drop it, or say what 'others' are"
            )
        return _Meaning(None) if self.others == "negative" else None


@dataclass(frozen=True)
class _Meaning:
    label: str | None
