"""Training plans of students: the modality's definition, with the changes of a recipe.

Both use the keys of `student` in a recipe (`docs/recipes.md`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recipe import Recipe
from omnibind_ros.host.models.student import StudentConfig
from omnibind_ros.host.training.input_augment import InputAugment
from omnibind_ros.modalities.definition import load
from omnibind_ros.modalities.registry import definition
from omnibind_ros.types import Modality


@dataclass(frozen=True)
class StudentPlan:
    """How one modality is trained.

    Attributes:
        variants: versions of each recording, augmented from the second on (see `prepare_samples`).
        samples: samples drawn in the whole training, whatever the number of recordings.
    """

    student: StudentConfig = field(default_factory=StudentConfig)
    augment: InputAugment | None = None
    variants: int = 1
    samples: int = 120_000
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05


def usual_plan(modality: Modality) -> StudentPlan:
    """The plan that the modality's definition gives.

    Raises:
        ConfigError: no such modality, or its definition has an unknown key.
    """
    return _changed(StudentPlan(), load(definition(modality).student) or {}, modality)


def plan_of(recipe: Recipe, modality: Modality) -> StudentPlan:
    """The plan of a recipe's modality: that of its built-in modality with the recipe's changes."""
    plan = usual_plan(recipe.preprocessor(modality).modality)
    if modality not in recipe.own:
        return plan
    return _changed(plan, recipe.own[modality].student.model_dump(exclude_none=True), modality)


def _changed(plan: StudentPlan, given: Mapping[str, Any], modality: Modality) -> StudentPlan:
    network = {one.name: given[one.name] for one in fields(StudentConfig) if one.name in given}
    motion = given.get("augment")
    others = {key: value for key, value in given.items() if key not in {*network, "augment"}}
    try:
        return replace(
            plan,
            student=replace(plan.student, **network),
            augment=replace(plan.augment or InputAugment(), **motion) if motion else plan.augment,
            **others,
        )
    except TypeError as error:
        raise ConfigError(f"student of modality {modality!r}: {error}; see docs/recipes.md") from error
