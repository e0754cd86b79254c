# omnibind_ros from a fresh checkout. `make help` lists the targets.
# Each target installs its requirements into its own virtual environment, once, and again when setup.py changes.

PYTHON ?= python3
OMNIBIND_DATA ?= ../shared/data
WORKERS ?= 2
ARGS ?=
# Pinned so that every environment has the same build; pip prefers a local wheel to a download.
TORCH ?= torch==2.13.0
# ROS 2's Python packages belong to the system. Types are checked against the newest packages, which the system
# rarely has, so lint then uses an environment without the system's packages.
VENV_FLAGS ?= $(if $(ROS_DISTRO),--system-site-packages)
LINT_VENV := $(if $(ROS_DISTRO),.venv-lint,.venv-test)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test coverage lint format train clean
export PIP_DISABLE_PIP_VERSION_CHECK := 1

PYTEST = OMNIBIND_DATA="$(OMNIBIND_DATA)" OMP_NUM_THREADS=1 $(<D)/bin/python -m pytest -q -n $(WORKERS)

help: ## list the targets
	@echo "usage: make TARGET [ARGS=\"...\"] [OMNIBIND_DATA=$(OMNIBIND_DATA)] [PYTHON=$(PYTHON)]"
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

demo: .venv-demo/.ready ## run the scripted demo; real recordings: ARGS="--root ../shared/data --json demo.json"
	@$(<D)/bin/omnibind demo $(ARGS)

test: .venv-test/.ready ## run all tests; those that need recordings read them from OMNIBIND_DATA
	@$(PYTEST) $(ARGS)

coverage: .venv-test/.ready ## run all tests and report which lines they execute, line by line in htmlcov/index.html
	@$(PYTEST) --cov --cov-report=term --cov-report=html $(ARGS)

lint: $(LINT_VENV)/.ready ## check style, types and import rules
	@failed=""; \
	for check in "ruff check --quiet" "ruff format --check --quiet" mypy "lint-imports --no-logo"; do \
		$(<D)/bin/$$check || failed="$$failed, $${check%% --*}"; \
	done; \
	test -z "$$failed" || { echo "failed: $${failed:2}"; exit 1; }

format: $(LINT_VENV)/.ready ## reformat the code, and fix what ruff can fix
	@$(<D)/bin/ruff check --fix --exit-zero --quiet && $(<D)/bin/ruff format --quiet

train: .venv-train/.ready ## train all students and their fusion on the recordings in OMNIBIND_DATA, into runs/digits
	@$(<D)/bin/omnibind train all digits --root "$(OMNIBIND_DATA)" --out runs/digits --jobs $$(nproc) $(ARGS)

clean: ## remove environments, caches and builds; keep runs/
	@rm -rf .venv-demo .venv-lint .venv-test .venv-train build dist *.egg-info htmlcov .coverage*
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find omnibind_ros test -name __pycache__ -prune -exec rm -rf {} +

.venv-demo/.ready: NEEDS = -e .
.venv-test/.ready: NEEDS = "$(TORCH)" -e ".[train,test]"
.venv-lint/.ready: NEEDS = "$(TORCH)" -e ".[train,test]"
.venv-lint/.ready: VENV_FLAGS =
.venv-train/.ready: NEEDS = "$(TORCH)" -e ".[train]"

# `.ready` is written last: an environment without it was interrupted and is created again.
.venv-%/.ready: setup.py
	@echo "$(@D): installing ..."; \
	$(PYTHON) -m venv $(if $(wildcard $@),,--clear) $(VENV_FLAGS) $(@D); \
	$(@D)/bin/python -m pip install --quiet --quiet $(NEEDS); \
	touch $@; \
	echo "$(@D): ready after $$SECONDS s"
