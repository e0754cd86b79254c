"""docs/your_sensor.md: the package that it shows is built, installed and used."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from modality_packages import rediscovered
from recipes import write_recipe

CHECKOUT = Path(__file__).resolve().parents[1]
PAGE = (CHECKOUT / "docs" / "your_sensor.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the page, and the package installed into `site` in it."""
    folder = tmp_path_factory.mktemp("page")
    shown = re.findall(r"^`([\w/]+\.(?:py|toml))`.*?^```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(shown) == PAGE.count("```python") + PAGE.count("```toml") == 6
    for name, text in shown:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check")
    run("-m", "pip", "install", *options, "--target", "site", ".", cwd=folder)
    return folder


def run(*arguments: str, cwd: Path, path: str = "") -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([path, str(CHECKOUT)])}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def installed(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package can be imported, and the registry finds it."""
    monkeypatch.syspath_prepend(str(package / "site"))
    with rediscovered("laser_scan"):
        yield


def test_the_tests_on_the_page_pass(package: Path):
    said = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_laser_scan.py", cwd=package, path="site")
    assert "4 passed" in said or "3 passed, 1 skipped" in said


def test_a_robot_loads_nothing_that_is_for_the_host(package: Path):
    code = """
import sys
from omnibind_ros.modalities.registry import make_preprocessor
make_preprocessor("laser_scan")
print([name for name in sys.modules if name.startswith("laser_scan")])
"""
    assert run("-c", code, cwd=package, path="site").split("\n")[0] == str(
        ["laser_scan", "laser_scan.preprocessing"]
    )


def test_it_can_be_named_in_the_robot_file_of_the_page(installed: None, tmp_path: Path):
    from omnibind_ros.config.robot import load_robot

    (text,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "robot.yaml").write_text(text)
    assert load_robot(tmp_path / "robot.yaml").sensors["lidar"].modality == "laser_scan"


def test_it_is_read_simulated_and_prepared_for_training(installed: None, tmp_path: Path):
    pytest.importorskip("torch")
    from omnibind_ros.host.data.readers import read_recordings
    from omnibind_ros.host.data.simulated import simulated_recordings
    from omnibind_ros.host.training.samples import prepare_samples
    from omnibind_ros.host.training.student_plans import plan_of

    source = {"modality": "laser_scan", "reader": "folders", "path": "."}
    digits = {"1": "one", "2": "two"}
    recipe = write_recipe(tmp_path, source, labels=digits, simulated={"laser_scan": 2})
    for label in recipe.labels:
        (tmp_path / "data" / label).mkdir(parents=True)
        np.save(tmp_path / "data" / label / "1.npy", np.linspace(0.5, 4.0, 360))
    recordings = [*read_recordings(recipe, tmp_path / "data"), *simulated_recordings(recipe, "laser_scan")]
    plan, adaptor = plan_of(recipe, "laser_scan"), recipe.preprocessor("laser_scan")
    samples = prepare_samples(recordings, recipe.label_names, adaptor, plan.variants, corrupted=3)
    assert len(samples) == 3 * len(recipe.labels)
    assert samples.inputs.shape[1:] == (4, 1, 1, 180)
    assert samples.corrupted.shape[1:] == (3, 1, 1, 180)
    moved = plan.augment(samples.clean)
    assert moved.shape == samples.clean.shape


def test_what_is_played_is_what_an_encoder_reads(installed: None):
    from omnibind_ros.host.data.scene import Scene
    from omnibind_ros.messages.cdr import deserialise, serialise
    from omnibind_ros.modalities.registry import definition, make_preprocessor
    from omnibind_ros.play.player import play_samples, raw_topic

    published: list[Any] = []
    play_samples(
        published.append, "laser_scan", [Scene(5).sample("laser_scan")] * 3, threading.Event(), rate=50
    )
    type_name, depth = raw_topic("laser_scan")
    assert type_name in definition("laser_scan").reads
    assert depth == 5
    adaptor = make_preprocessor("laser_scan")
    for message in published:
        (sample,) = adaptor.feed(deserialise(bytes(serialise(message, type_name)), type_name))
        assert sample.quality == 1.0
