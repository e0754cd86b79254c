"""Training plans with the changes of a recipe."""

from __future__ import annotations

from dataclasses import fields

import pytest

torch = pytest.importorskip("torch")

from recipes import write_recipe  # noqa: E402

from omnibind_ros.errors import ConfigError  # noqa: E402
from omnibind_ros.host.data.recipe import InputMotion, StudentRules, load_recipe  # noqa: E402
from omnibind_ros.host.models.student import StudentConfig  # noqa: E402
from omnibind_ros.host.training.input_augment import InputAugment  # noqa: E402
from omnibind_ros.host.training.student_plans import StudentPlan, plan_of, usual_plan  # noqa: E402
from omnibind_ros.modalities import registry  # noqa: E402

SOURCE = {"modality": "imu", "reader": "folders", "path": "x"}


def names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def test_a_recipe_can_set_everything_in_a_plan():
    assert set(InputMotion.model_fields) == names(InputAugment)
    assert set(StudentRules.model_fields) == (names(StudentPlan) - {"student"}) | names(StudentConfig)


@pytest.mark.parametrize("modality", registry.names())
def test_a_definition_says_it_in_the_words_of_a_recipe(modality):
    student = registry.definition(modality).student.load()
    StudentRules.model_validate(student)
    assert usual_plan(modality) != StudentPlan()


def test_an_unknown_key_of_a_definition_is_named(monkeypatch):
    monkeypatch.setitem(registry.definition("text").student.load(), "lrr", 0.1)
    with pytest.raises(ConfigError, match=r"student of modality 'text': .*lrr"):
        usual_plan("text")


def test_digits_changes_no_plan():
    recipe = load_recipe("digits")
    for modality in recipe.modalities:
        assert plan_of(recipe, modality) == usual_plan(modality)


def test_defaults_are_those_of_the_built_in_modality(tmp_path):
    student = {"widths": [8, 16], "lr": 0.01, "augment": {"shift_x": 0.3}}
    recipe = write_recipe(tmp_path, SOURCE, modalities={"imu": {"adaptor": "series", "student": student}})
    plan, usual = plan_of(recipe, "imu"), usual_plan("series")
    assert plan.student == StudentConfig((8, 16), usual.student.stem_stride, usual.student.dropout)
    assert (plan.lr, plan.samples, plan.variants) == (0.01, usual.samples, usual.variants)
    assert (plan.augment.shift_x, plan.augment.scale) == (0.3, usual.augment.scale)


def test_augmentation_moves_a_time_series_in_time_only():
    moved = usual_plan("series").augment(torch.randn(4, 6, 1, 100))
    assert moved.shape == (4, 6, 1, 100) and torch.isfinite(moved).all()
    constant = torch.arange(6.0)[None, :, None, None].expand(4, 6, 1, 100)
    shifted = InputAugment(scale=0.2, shift_x=0.1, fill=None)(constant)
    torch.testing.assert_close(shifted, constant)
