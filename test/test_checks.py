"""CI, the pre-commit hooks and developers run the same checks, on the declared Python versions."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[1]
WORKFLOW = yaml.safe_load((CHECKOUT / ".github" / "workflows" / "ci.yml").read_text())


def makefile_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(), re.MULTILINE))


def test_the_workflow_runs_what_decides_about_a_change():
    script = (CHECKOUT / ".ci" / "run").read_text()
    decides = [command for command in ("make lint", "make test") if f"    {command}\n" in script]
    jobs = [WORKFLOW["jobs"]["lint"], WORKFLOW["jobs"]["test"]]
    assert [step["run"] for job in jobs for step in job["steps"] if "run" in step] == decides


def test_the_workflow_runs_on_every_declared_python():
    declared = re.findall(r"Programming Language :: Python :: (3\.\d+)", (CHECKOUT / "setup.py").read_text())
    assert declared
    assert WORKFLOW["jobs"]["test"]["strategy"]["matrix"]["python"] == declared


def test_the_hooks_before_a_commit_check_what_ci_checks():
    config = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text())
    entries = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    assert "make lint" in entries


def test_every_make_target_that_is_named_exists():
    pages = [*CHECKOUT.glob("*.md"), *CHECKOUT.glob("docs/*.md"), CHECKOUT / ".pre-commit-config.yaml"]
    named = {t for page in pages for t in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE)}
    assert {"test", "lint"} <= named
    assert named <= makefile_targets()
