"""The config of a run: changed by settings, kept with the run, compared when it continues."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from omnibind_ros.errors import ConfigError
from omnibind_ros.host.data.recipe import load_recipe
from omnibind_ros.host.training.config import TrainingConfig, changed
from omnibind_ros.host.training.run import TrainingRun
from omnibind_ros.host.training.student_plans import usual_plan

DIGITS = load_recipe("digits")


def test_settings_change_only_the_keys_they_name():
    settings = ["cad.lambda_relation=2", "students.touch.samples=1000", "teacher.model=clip", "seed=7"]
    config = changed(TrainingConfig(), settings)
    assert (config.cad.lambda_relation, config.teacher.model, config.seed) == (2.0, "clip", 7)
    assert config.cad.lambda_text == TrainingConfig().cad.lambda_text
    assert config.plan(usual_plan("touch"), "touch").samples == 1000
    assert config.plan(usual_plan("touch"), "touch").student == usual_plan("touch").student
    assert config.plan(usual_plan("event"), "event") == usual_plan("event")


@pytest.mark.parametrize(
    "setting, said",
    [
        ("cad.lambda_relatoin=1", "--set cad.lambda_relatoin: unknown key; did you mean 'lambda_relation'?"),
        ("cda.lambda_text=1", "did you mean 'cad'?"),
        ("cad.lambda_text=much", "--set cad.lambda_text: "),
        ("cad.lambda_text=-1", "should be greater than or equal to 0"),
        ("cad.lambda_text=.nan", "--set cad.lambda_text: "),
        ("precision=fp16", "'fp16' is not valid"),
        ("cad", "--set cad: expected KEY=VALUE"),
        ("seed.x=1", "--set seed.x: seed is a value and has no keys"),
        ("cad=[1", "not valid YAML"),
        ("students.touch.lr=0", "--set students.touch.lr: "),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(setting, said):
    with pytest.raises(ConfigError) as refused:
        changed(TrainingConfig(), [setting])
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def begun(folder: Path, *settings: str, restart: bool = False) -> TrainingRun:
    return TrainingRun(DIGITS, folder, folder / "run", changed(TrainingConfig(), settings), restart=restart)


def test_a_run_keeps_its_config_and_is_not_continued_with_another(tmp_path):
    begun(tmp_path, "cad.lambda_relation=2")
    begun(tmp_path, "cad.lambda_relation=2")
    with pytest.raises(
        ConfigError, match=r"seed was 0, is 3; cad.lambda_relation was 2.0, is 0.5; pass --restart"
    ):
        begun(tmp_path, "cad.lambda_relation=0.5", "seed=3")
    # Whoever only reads it takes the config that it has.
    assert TrainingRun(DIGITS, tmp_path, tmp_path / "run").config.cad.lambda_relation == 2


def test_another_recipe_is_another_run(tmp_path):
    begun(tmp_path)
    other = DIGITS.model_copy(update={"simulated": {}})
    with pytest.raises(ConfigError, match=r"recipe\.simulated"):
        TrainingRun(other, tmp_path, tmp_path / "run", TrainingConfig())


def test_restarting_removes_what_the_run_wrote_and_nothing_else(tmp_path):
    run = begun(tmp_path, "seed=1").folder
    (run / "split/touch").mkdir(parents=True)
    (run / "split/touch/student.pt").write_bytes(b"old")
    (run / "folds_audio.json").write_text("{}")
    (run / "notes.txt").write_text("mine")
    begun(tmp_path, "seed=2", restart=True)
    assert sorted(file.name for file in run.iterdir()) == ["config.yaml", "notes.txt"]


def test_a_modality_that_the_recipe_lacks_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"students.tuch: .*did you mean 'touch'"):
        begun(tmp_path, "students.tuch.samples=5")
