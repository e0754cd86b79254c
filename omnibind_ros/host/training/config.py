"""How a run is trained. `--set` changes keys on the command line; the run keeps the config in a file.

omnibind train all digits --set cad.lambda_relation=0.5 --set students.touch.samples=200000
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from omnibind_ros.config.strict_yaml import (
    Document,
    KeyPath,
    StrictModel,
    dump_yaml,
    load_yaml,
    parse_yaml,
    read_yaml,
)
from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recipe import Recipe
from omnibind_ros.host.training.cad import CadConfig
from omnibind_ros.host.training.files import write_atomically
from omnibind_ros.host.training.student_plans import StudentPlan

Precision = Literal["auto", "bf16", "fp32"]
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class TeacherConfig(StrictModel):
    """The teacher."""

    model: str = "minilm"
    """minilm, or the folder or hub id of a CLIP or SigLIP"""
    samples: Count = 60_000
    """samples drawn in the training of MiniLM's image tower, beyond those of the image student"""


class PicturesConfig(StrictModel):
    """How the teacher's pictures are used besides the terms of CAD."""

    as_input: bool = True
    """converted into inputs of the modality, as the recipe's `from_pictures` specifies"""
    until: Share = 0.5
    """such samples are drawn in this first share of the training"""
    per_class: Count = 400
    """largest number of pictures per class"""
    of_unlabelled: bool = True
    """recordings without a label are used as well, with the image teacher's embedding as their target"""


class CorruptionConfig(StrictModel):
    """Training on samples of failing sensors."""

    share: Share = 0.25
    """share of the drawn samples; 0 trains on clean recordings only"""
    damaged: Share = 0.5
    """share of these that have randomly damaged model inputs; the others are corrupted on the raw level"""
    versions: Count = 3
    """corrupted versions that are prepared of each recording"""


class StudentChanges(StrictModel):
    """Changes to the training plan of a modality."""

    samples: Count | None = None
    """samples drawn in the whole training"""
    batch: Annotated[int, Field(ge=2)] | None = None
    lr: Positive | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    label_smoothing: Share | None = None
    variants: Count | None = None
    """versions prepared of each recording, augmented on the raw level from the second on"""

    def applied_to(self, plan: StudentPlan) -> StudentPlan:
        """The plan with these changes."""
        return replace(plan, **self.model_dump(exclude_none=True))


class TrainingConfig(StrictModel):
    """Everything the results of a run depend on, besides recipe and recordings."""

    seed: int = 0
    precision: Precision = "auto"
    """auto uses bf16 where it is available"""
    teacher: TeacherConfig = TeacherConfig()
    cad: CadConfig = CadConfig()
    pictures: PicturesConfig = PicturesConfig()
    corruption: CorruptionConfig = CorruptionConfig()
    students: dict[str, StudentChanges] = Field(default_factory=dict)
    """by modality"""

    def plan(self, plan: StudentPlan, modality: str) -> StudentPlan:
        """The plan of a modality's student, with the changes of this config."""
        return self.students.get(modality, StudentChanges()).applied_to(plan)


def changed(config: TrainingConfig, settings: Iterable[str]) -> TrainingConfig:
    """A config with changes of the form `key.key=value`; values are YAML.

    Raises:
        ConfigError: a setting is not valid; the line names it and suggests the nearest key.
    """
    data = config.model_dump()
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not all(key.split(".")):
            raise ConfigError(f"--set {setting}: expected KEY=VALUE, e.g. --set cad.lambda_relation=0.5")
        *outer, last = key.split(".")
        inner = data
        for name in outer:
            if not isinstance(inner.setdefault(name, {}), dict):
                raise ConfigError(f"--set {key}: {name} is a value and has no keys")
            inner = inner[name]
        inner[last] = parse_yaml(text, Path(f"--set {key}")).data
    return _Settings(Path(), data, {}).validate(TrainingConfig)


class _Settings(Document):
    """Values that come from the command line and have no line in a file."""

    def error(self, key_path: KeyPath, problem: str) -> ConfigError:
        return ConfigError(f"--set {'.'.join(key_path)}: {problem}")


def keep_config(config: TrainingConfig, recipe: Recipe, file: Path) -> None:
    """Write the config of a new run, or check that a run is continued with the config it was started with.

    Raises:
        ConfigError: it is not; the line names what differs.
    """
    now = {"recipe": recipe.model_dump(mode="json"), "config": config.model_dump(mode="json")}
    if not file.exists():
        note = "# Written by omnibind: the recipe and config of this run.\n"
        write_atomically(file, f"{note}{dump_yaml(now)}".encode())
        return
    before, after = (dict(_flat(data)) for data in (read_yaml(file).data, now))
    differing = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if differing:
        shown = "; ".join(f"{k} was {before.get(k)!r}, is {after.get(k)!r}" for k in differing[:3])
        more = f"; and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise ConfigError(
            f"{file.parent} was started with another config: {shown}{more}; "
            "pass --restart to discard it, or another --out to keep it"
        )


class _Kept(StrictModel):
    recipe: dict[str, Any]
    config: TrainingConfig


def kept_config(file: Path) -> TrainingConfig:
    """The config that a run was started with; the default one for a new run."""
    return load_yaml(file, _Kept).config if file.exists() else TrainingConfig()


def _flat(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(data, Mapping) and data:
        for key, value in data.items():
            yield from _flat(value, f"{path}.{key}" if path else str(key))
    elif isinstance(data, list) and data:
        for index, value in enumerate(data):
            yield from _flat(value, f"{path}.{index}")
    else:
        yield path.removeprefix("config."), data
