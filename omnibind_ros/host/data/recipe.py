"""A recipe: labels, modalities, sources and splits of the recordings to train on, in one checked YAML file.

`docs/recipes.md` explains every key.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue, Strict

from omnibind_ros.config.resources import find_config
from omnibind_ros.config.strict_yaml import Document, StrictModel, read_yaml
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.readers.bag import BagSource
from omnibind_ros.host.data.readers.folders import FolderSource
from omnibind_ros.host.data.readers.idx import IdxSource
from omnibind_ros.host.data.readers.mat import MatSource
from omnibind_ros.host.data.readers.npz import NpzSource
from omnibind_ros.host.data.readers.pattern import PatternSource
from omnibind_ros.host.data.readers.table import TableSource
from omnibind_ros.host.data.source import Name, SplitRule
from omnibind_ros.modalities.preprocessor import Preprocessor
from omnibind_ros.modalities.registry import having, make_preprocessor, names
from omnibind_ros.names import check_sensor_name, nearest

TEACHER_MODALITIES = ("image", "text")
"""Modalities of the teacher itself: their students learn from the texts alone."""

AnySource = FolderSource | PatternSource | TableSource | NpzSource | IdxSource | MatSource | BagSource


def _is_description(text: str) -> str:
    for field in re.findall(r"\{(.*?)\}", text):
        if field not in ("word", "label", "digit"):
            raise ValueError(f"{text!r}: unknown field {{{field}}}; there are {{word}} and {{label}}")
    return text


Description = Annotated[str, AfterValidator(_is_description)]


class InputMotion(StrictModel):
    """Ranges of the augmentation of model inputs; the modality's plan has the defaults."""

    rotation: float | None = None
    scale: float | None = None
    stretch: float | None = None
    shift_x: float | None = None
    shift_y: float | None = None
    shear: float | None = None
    gain: float | None = None
    offset: float | None = None
    tilt: float | None = None
    mask_x: float | None = None
    mask_y: float | None = None
    noise: float | None = None
    fill: float | None = None


class StudentRules(StrictModel):
    """Size and training of a modality's student; the modality's plan has the defaults."""

    widths: Annotated[tuple[int, ...], Strict(False)] | None = None
    """channels of each stage of the network"""
    stem_stride: int | None = Field(None, ge=1, le=2)
    dropout: float | None = Field(None, ge=0, lt=1)
    variants: int | None = Field(None, ge=1)
    """versions prepared of each recording, augmented on the raw level from the second on"""
    samples: int | None = Field(None, ge=1)
    """samples drawn in the whole training"""
    batch: int | None = Field(None, ge=2)
    lr: float | None = Field(None, gt=0)
    weight_decay: float | None = Field(None, ge=0)
    label_smoothing: float | None = Field(None, ge=0, lt=1)
    augment: InputMotion = InputMotion()


class ModalityRules(StrictModel):
    """A custom modality, or a built-in one with other constants."""

    adaptor: str | None = None
    """the built-in modality whose messages and raw samples it has; `series` for any time series"""
    preprocessing: dict[str, JsonValue] = Field(default_factory=dict)
    """constants of its preprocessing; they are written to the bundle's manifest"""
    student: StudentRules = StudentRules()


class Recipe(StrictModel):
    """The data of a training run."""

    name: str
    labels: dict[Name, Name]
    """label -> its word, for descriptions"""
    descriptions: Annotated[tuple[Description, ...], Strict(False)] = ("{word}",)
    own: dict[str, ModalityRules] = Field(default_factory=dict, alias="modalities")
    sources: Annotated[tuple[Annotated[AnySource, Field(discriminator="reader")], ...], Strict(False)]
    split: SplitRule = SplitRule()
    """held-back recordings of sources without a split of their own"""
    simulated: dict[str, int] = Field(default_factory=dict)
    """modality -> simulated samples per class that are added in training; of the digits 0 to 9 only"""
    from_pictures: dict[str, str] = Field(default_factory=dict)
    """modality -> source of pictures that are converted into its inputs for training"""
    taught_by: dict[str, str] = Field(default_factory=dict)
    """modality -> modality whose student is trained first and gives targets for the same moments"""

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(self.labels)

    @property
    def modalities(self) -> tuple[str, ...]:
        """In order of first mention, simulated ones last."""
        return tuple(dict.fromkeys([*(s.modality for s in self.sources), *self.simulated]))

    def preprocessor(self, modality: str) -> Preprocessor:
        """The preprocessing of a modality, the same as on the robot.

        Raises:
            ConfigError: no such modality or constant.
        """
        rules = self.own.get(modality, ModalityRules())
        return make_preprocessor(modality, {"adaptor": rules.adaptor or modality, **rules.preprocessing})

    def split_rule(self, source: str) -> SplitRule:
        """The split rule of a source."""
        own = {s.name: s.split for s in self.sources}[source]
        return own if own is not None else self.split

    def described(self, label: str) -> list[str]:
        """All descriptions of a label."""
        return [d.format(word=self.labels[label], label=label, digit=label) for d in self.descriptions]

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
        ConfigError: it is not found or not valid; the message names file, line and key.
    """
    path = Path(name_or_path)
    if path.suffix not in (".yaml", ".yml"):
        path = find_config(f"recipes/{name_or_path}.yaml")
    document = read_yaml(path)
    recipe = document.validate(Recipe)
    _check_modalities(recipe, document)
    _check_sources(recipe, document)
    _check_additions(recipe, document)
    return recipe


def _check_modalities(recipe: Recipe, document: Document) -> None:
    for name, rules in recipe.own.items():
        where = ("modalities", name)
        try:
            check_sensor_name(name)
            if rules.adaptor is None and name not in names():
                raise ConfigError(
                    f"{name!r} is not built in; name the built-in modality it is like, e.g. adaptor: series"
                )
            recipe.preprocessor(name)
        except (ConfigError, TypeError, ValueError) as error:
            raise document.error(where, str(error)) from error


def _check_sources(recipe: Recipe, document: Document) -> None:
    known = (*names(), *recipe.own)
    seen: set[str] = set()
    for index, source in enumerate(recipe.sources):
        where = ("sources", str(index))
        if source.name in seen:
            raise document.error((*where, "name"), f"another source has the name {source.name!r} as well")
        seen.add(source.name)
        if source.modality not in known:
            hint = nearest(source.modality, known)
            raise document.error(
                (*where, "modality"), f"{source.modality!r} is neither built in nor under 'modalities'{hint}"
            )
        for found, label in source.classes.items():
            if label is not None and label not in recipe.labels:
                hint = nearest(label, recipe.labels)
                raise document.error(
                    (*where, "classes", found), f"{label!r} is not a label of the recipe{hint}"
                )


def _check_additions(recipe: Recipe, document: Document) -> None:
    sources = {source.name: source.modality for source in recipe.sources}
    for modality, source in recipe.from_pictures.items():
        where = ("from_pictures", modality)
        if modality not in having("from_picture"):
            hint = nearest(modality, having("from_picture"))
            raise document.error(where, f"pictures cannot be converted into {modality!r}{hint}")
        if sources.get(source) != "image":
            pictures = [name for name, of in sources.items() if of == "image"]
            raise document.error(where, f"{source!r} is not a source of images{nearest(source, pictures)}")
    for modality, partner in recipe.taught_by.items():
        problem = _taught_by_problem(recipe, modality, partner)
        if problem:
            raise document.error(("taught_by", modality), problem)
    for modality in recipe.simulated:
        where = ("simulated", modality)
        if modality not in having("simulate"):
            hint = nearest(modality, having("simulate"))
            raise document.error(where, f"no simulated {modality!r}{hint}")
        strange = [label for label in recipe.labels if label not in tuple("0123456789")]
        if strange:
            raise document.error(where, f"simulated sensors have the labels 0 to 9 only, not {strange[0]!r}")


def _taught_by_problem(recipe: Recipe, modality: str, partner: str) -> str:
    """Why a student of `partner` cannot teach `modality`; "" if it can."""
    if modality in TEACHER_MODALITIES:
        return f"{modality} is a modality of the teacher, whose student learns from the texts alone"
    paired = {source.modality for source in recipe.sources if source.pair}
    for name in (modality, partner):
        if name not in recipe.modalities:
            return f"the recipe has no modality {name!r}{nearest(name, recipe.modalities)}"
        if name not in paired:
            return f"no source of {name!r} has a 'pair', which marks recordings of the same moment"
    chain = [modality]
    while chain[-1] in recipe.taught_by:
        chain.append(recipe.taught_by[chain[-1]])
        if chain[-1] in chain[:-1]:
            return f"taught_by is circular: {' -> '.join(chain)}"
    return ""
