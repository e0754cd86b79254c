"""What is known to work for each modality: size of the student, length of training, augmentation."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from omnibind_ros.host.data.recipe import Recipe
from omnibind_ros.host.models.student import StudentConfig
from omnibind_ros.host.training.input_augment import InputAugment


@dataclass(frozen=True)
class StudentPlan:
    """How one modality is trained.

    Attributes:
        variants: augmented versions kept of each recording (see `prepare_samples`).
        samples: samples seen in training, in all; independent of how many recordings there are.
    """

    student: StudentConfig = field(default_factory=StudentConfig)
    augment: InputAugment | None = None
    variants: int = 1
    samples: int = 120_000
    batch: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.02
    label_smoothing: float = 0.05


PLANS: dict[str, StudentPlan] = {
    "image": StudentPlan(
        StudentConfig((32, 64, 128), stem_stride=2),
        InputAugment(
            rotation=14,
            scale=0.16,
            stretch=0.1,
            shift_x=0.1,
            shift_y=0.1,
            shear=0.15,
            gain=0.35,
            offset=0.35,
            mask_x=0.15,
            mask_y=0.15,
            noise=0.12,
            fill=None,
        ),
        samples=220_000,
    ),
    "audio": StudentPlan(
        StudentConfig((32, 64, 128), stem_stride=2, dropout=0.3),
        InputAugment(
            scale=0.06,
            stretch=0.12,
            shift_x=0.08,
            shift_y=0.07,
            tilt=0.25,
            mask_x=0.12,
            mask_y=0.25,
            noise=0.1,
            offset=0.1,
            fill=-1.0,
        ),
        variants=8,
        samples=150_000,
    ),
    "event": StudentPlan(
        StudentConfig((32, 64, 128), stem_stride=2, dropout=0.3),
        InputAugment(
            rotation=12, scale=0.15, stretch=0.1, shift_x=0.1, shift_y=0.1, shear=0.15, gain=0.3, noise=0.1
        ),
        variants=6,
        samples=150_000,
    ),
    "touch": StudentPlan(
        StudentConfig((48, 96), stem_stride=1, dropout=0.3),
        InputAugment(rotation=14, scale=0.18, stretch=0.12, shift_x=0.14, shift_y=0.14, shear=0.2, gain=0.2),
        variants=6,
        samples=150_000,
    ),
    "point_cloud": StudentPlan(
        StudentConfig((32, 64, 128), stem_stride=2),
        InputAugment(rotation=6, scale=0.08, stretch=0.08, shift_x=0.05, shift_y=0.05, gain=0.1),
        variants=12,
        samples=100_000,
    ),
    "thermal": StudentPlan(
        StudentConfig((32, 64, 96), stem_stride=2),
        InputAugment(
            rotation=15,
            scale=0.18,
            stretch=0.1,
            shift_x=0.12,
            shift_y=0.12,
            shear=0.12,
            gain=0.2,
            offset=0.1,
            noise=0.15,
            fill=None,
        ),
        variants=4,
        samples=90_000,
    ),
    "text": StudentPlan(samples=60_000, batch=128),
    "series": StudentPlan(
        StudentConfig((32, 64, 128), stem_stride=2, dropout=0.3),
        InputAugment(scale=0.15, shift_x=0.1, gain=0.15, mask_x=0.15, noise=0.1),
        variants=6,
        samples=60_000,
    ),
}
"""By the built-in modality whose adaptor a modality has."""


def plan_of(recipe: Recipe, modality: str) -> StudentPlan:
    """The plan of a modality, with what the recipe says otherwise."""
    plan = PLANS[recipe.preprocessor(modality).modality]
    if modality not in recipe.own:
        return plan
    given = recipe.own[modality].student.model_dump(exclude_none=True)
    motion = given.pop("augment")
    network = {key: given.pop(key) for key in ("widths", "stem_stride", "dropout") if key in given}
    return replace(
        plan,
        student=replace(plan.student, **network),
        augment=replace(plan.augment or InputAugment(), **motion) if motion else plan.augment,
        **given,
    )
