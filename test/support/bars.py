"""Images so simple that a student learns them in seconds."""

from __future__ import annotations

import numpy as np
import torch

from omnibind_ros.host.models.student import StudentConfig
from omnibind_ros.host.training.input_augment import InputAugment
from omnibind_ros.host.training.samples import NEGATIVE, Samples
from omnibind_ros.host.training.student_plans import StudentPlan
from omnibind_ros.host.training.targets import Targets

ANCHORS = np.eye(3, 16, dtype=np.float32)
PLAN = StudentPlan(StudentConfig((8, 16)), InputAugment(shift_x=0.05, fill=0.0), samples=3000, batch=32)
SHORT = StudentPlan(PLAN.student, PLAN.augment, samples=640, batch=32)


def bars(count: int, seed: int) -> Samples:
    """Three classes of pictures (a bar left, middle, right) and noise that is none of them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 3, count)
    pictures = rng.normal(0, 0.3, (count, 1, 1, 12, 12)).astype(np.float16)
    for row, label in enumerate(labels):
        if label != NEGATIVE:
            pictures[row, 0, 0, :, 2 + 4 * label] += 2
    return Samples(
        torch.from_numpy(pictures), torch.from_numpy(labels), np.full(count, "bars"), np.full(count, "")
    )


def words(samples: Samples) -> Targets:
    """Targets without an image teacher."""
    return Targets.texts_only(ANCHORS, len(samples))
