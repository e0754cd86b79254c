"""A recipe says which recordings mean what: labels, sources, splits. One YAML file, checked on reading."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from omnibind_ros.config.resources import find_config
from omnibind_ros.config.strict_yaml import load_yaml
from omnibind_ros.core.errors import ConfigError
from omnibind_ros.core.names import nearest


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitRule(_Strict):
    """Who is held back. Groups go as a whole; what is left is split by a hash of the recording's name."""

    test_groups: tuple[str, ...] = ()
    dev_groups: tuple[str, ...] = ()
    test_share: float = Field(0.0, ge=0, le=1)
    dev_share: float = Field(0.0, ge=0, le=1)


class Source(_Strict):
    """One folder of recordings of one modality."""

    name: str
    modality: str
    reader: Literal["wav", "picture", "thermal_picture", "idx", "bs2", "spikes", "points"]
    path: str
    classes: dict[str, str | None] = {}
    unit_m: float = 1.0
    licence: str = "not stated"
    split: SplitRule = SplitRule()


class Recipe(_Strict):
    """Everything a training run needs to know about its data."""

    name: str
    labels: dict[str, str]
    descriptions: tuple[str, ...] = ("{word}",)
    sources: tuple[Source, ...]
    simulated: dict[str, int] = {}
    from_pictures: dict[str, str] = {}
    """modality -> source of pictures that are turned into its kind of input for training"""

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(self.labels)

    @property
    def modalities(self) -> tuple[str, ...]:
        """In order of first mention, simulated ones last."""
        return tuple(dict.fromkeys([*(s.modality for s in self.sources), *self.simulated]))

    def described(self, label: str) -> list[str]:
        """All descriptions of a label."""
        return [d.format(word=self.labels[label], digit=label) for d in self.descriptions]

    def check_label(self, label: str) -> str:
        """Return `label` or raise ConfigError naming the nearest."""
        if label not in self.labels:
            raise ConfigError(f"recipe {self.name!r} has no label {label!r}{nearest(label, self.labels)}")
        return label

    def check_modality(self, modality: str) -> str:
        """Return `modality` or raise ConfigError naming the nearest."""
        if modality not in self.modalities:
            raise ConfigError(
                f"recipe {self.name!r} has no modality {modality!r}{nearest(modality, self.modalities)}"
            )
        return modality


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a recipe by its name (`digits`) or path.

    Raises:
        ConfigError: not found, or wrong; the line names file, line and key.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = find_config(f"recipes/{name_or_path}.yaml")
    return load_yaml(path, Recipe)
