"""How a run is trained: typed, checked, changed on the command line by `--set`, kept with the run.

omnibind train all digits --set cad.lambda_relation=0.5 --set students.touch.samples=200000
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

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
from omnibind_ros.host.training.fit import write_whole
from omnibind_ros.host.training.student import Precision
from omnibind_ros.host.training.student_plans import StudentPlan

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class TeacherConfig(StrictModel):
    """Who teaches."""

    model: str = "minilm"
    """minilm, or the folder or hub id of a CLIP or SigLIP"""
    samples: Count = 60_000
    """pictures that MiniLM's image tower sees beyond those that the image student saw"""


class PicturesConfig(StrictModel):
    """What becomes of the teacher's pictures beside what the terms of CAD say."""

    as_input: bool = True
    """turned into the modality's own kind of input, as the recipe's `from_pictures` says"""
    until: Share = 0.5
    """such samples are drawn in this share of the training, from its beginning"""
    per_class: Count = 400
    """at most so many pictures of each class"""
    of_unlabelled: bool = True
    """recordings without a label are learnt from, too, as the image teacher sees them shown as pictures"""


class CorruptionConfig(StrictModel):
    """Students also learn from recordings as a sensor that fails would make them."""

    share: Share = 0.25
    """of the samples drawn; 0 trains on clean recordings only"""
    damaged: Share = 0.5
    """of these, how many are damaged as model inputs, in ways no sensor is known for"""
    versions: Count = 3
    """corrupted versions kept of each recording"""


class StudentChanges(StrictModel):
    """A modality's training otherwise than planned."""

    samples: Count | None = None
    """samples seen in training, in all"""
    batch: Annotated[int, Field(ge=2)] | None = None
    lr: Positive | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    label_smoothing: Share | None = None
    variants: Count | None = None
    """versions kept of each recording, augmented on the raw level from the second on"""

    def applied_to(self, plan: StudentPlan) -> StudentPlan:
        """The plan with these changes."""
        return replace(plan, **self.model_dump(exclude_none=True))


class TrainingConfig(StrictModel):
    """Everything that decides the numbers of a run but recipe and recordings."""

    seed: int = 0
    precision: Precision = "auto"
    """auto takes bf16 where there is any"""
    teacher: TeacherConfig = TeacherConfig()
    cad: CadConfig = CadConfig()
    pictures: PicturesConfig = PicturesConfig()
    corruption: CorruptionConfig = CorruptionConfig()
    students: dict[str, StudentChanges] = Field(default_factory=dict)
    """by modality"""

    def plan(self, plan: StudentPlan, modality: str) -> StudentPlan:
        """The plan of a modality's student, with what is set otherwise."""
        return self.students.get(modality, StudentChanges()).applied_to(plan)


def changed(config: TrainingConfig, settings: Iterable[str]) -> TrainingConfig:
    """A config with settings `key.key=value` put over it; values are YAML.

    Raises:
        ConfigError: one line that names the setting and the nearest valid key.
    """
    data = config.model_dump()
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or not all(key.split(".")):
            raise ConfigError(f"--set {setting}: should be KEY=VALUE, e.g. --set cad.lambda_relation=0.5")
        *outer, last = key.split(".")
        inner = data
        for name in outer:
            if not isinstance(inner.setdefault(name, {}), dict):
                raise ConfigError(f"--set {key}: {name} is a value and holds no keys")
            inner = inner[name]
        inner[last] = parse_yaml(text, Path(f"--set {key}")).data
    return _Settings(Path(), data, {}).validate(TrainingConfig)


class _Settings(Document):
    """Values that have no line in a file."""

    def error(self, key_path: KeyPath, problem: str) -> ConfigError:
        return ConfigError(f"--set {'.'.join(key_path)}: {problem}")


def keep(config: TrainingConfig, recipe: Recipe, file: Path) -> None:
    """Write down how a run is trained, or check that an earlier start of it was trained the same way.

    Raises:
        ConfigError: it was not; the line says what differs.
    """
    now = {"recipe": recipe.model_dump(mode="json"), "config": config.model_dump(mode="json")}
    if not file.exists():
        note = "# Written by omnibind; what the numbers of this run depend on.\n"
        write_whole(file, f"{note}{dump_yaml(now)}".encode())
        return
    before, after = (dict(_flat(data)) for data in (read_yaml(file).data, now))
    differing = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    if differing:
        shown = "; ".join(f"{k} was {before.get(k)!r}, is {after.get(k)!r}" for k in differing[:3])
        more = f"; and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise ConfigError(
            f"{file.parent} was begun with another config: {shown}{more}. "
            "--restart begins it anew, another --out leaves it"
        )


class _Kept(StrictModel):
    recipe: dict[str, Any]
    config: TrainingConfig


def kept(file: Path) -> TrainingConfig:
    """The config that an earlier start of a run wrote down; the default one if there was none."""
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
