"""Students give unit vectors and evidence."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from omnibind_ros.host.models.student import Student  # noqa: E402
from omnibind_ros.host.training.student_plans import usual_plan  # noqa: E402
from omnibind_ros.modalities.registry import make_preprocessor, names  # noqa: E402


@pytest.mark.parametrize("modality", names())
def test_every_modality_has_a_student_that_fits_a_robot(modality):
    shape = make_preprocessor(modality).input_shape
    student = Student(shape[1:], 384, usual_plan(modality).student).eval()
    assert sum(p.numel() for p in student.parameters()) < 1_000_000
    embedding, evidence = student(torch.randn(5, *shape[1:]))
    assert embedding.shape == (5, 384) and evidence.shape == (5, 1)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(5))
    z = student.point(torch.zeros(1, *shape[1:]))
    torch.testing.assert_close(student(torch.zeros(1, *shape[1:]))[1].exp(), z.norm(dim=1, keepdim=True))
