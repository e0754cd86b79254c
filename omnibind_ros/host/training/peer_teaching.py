"""One student teaches another: what it makes of the moments that both of their sensors recorded.

A recipe without pictures has no image teacher. A student that is trained already can stand in for it: its
embedding of the same moment is the t_i of CAD (see `cad.py`), no label needed. This is cross-modal
distillation (Gupta, Hoffman, Malik, arXiv 1507.00448) between students of one space.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recording import Recording
from omnibind_ros.host.models.student import Student
from omnibind_ros.host.models.teachers.teacher import Vectors
from omnibind_ros.host.training.samples import Samples
from omnibind_ros.host.training.student import embed


def of_same_moments(partner: Sequence[Recording], recordings: Sequence[Recording]) -> list[Recording]:
    """The partner's recordings of the moments of `recordings`.

    Raises:
        ConfigError: there is none.
    """
    moments = {r.pair for r in recordings if r.pair}
    shared = [r for r in partner if r.pair in moments]
    if not shared and partner and recordings:
        taught, by = recordings[0].modality, partner[0].modality
        raise ConfigError(
            f"taught_by.{taught}: no recording of {taught!r} has the pair of one of {by!r}, "
            f"e.g. {recordings[0].pair!r} and {partner[0].pair!r}"
        )
    return shared


def seen_by(student: Student, samples: Samples, recordings: Sequence[Recording]) -> Vectors:
    """The partner's embedding of each recording's moment, float32 [N,D]; zero where it has none.

    Args:
        samples: the partner's, of those moments.
    """
    width = embed(student, torch.zeros(1, *samples.inputs.shape[2:]))[0].shape[1]
    vectors = embed(student, samples.clean)[0] if len(samples) else np.zeros((0, width), np.float32)
    of_moment = {r.pair: vector for r, vector in zip(samples.recordings, vectors, strict=True)}
    nothing = np.zeros(width, np.float32)
    return np.stack([of_moment.get(r.pair, nothing) if r.pair else nothing for r in recordings])
