# omnibind_ros from a fresh checkout; `make help` lists what there is.
# Every target installs what it needs into a virtual environment of its own, once, and again when setup.py changes.

PYTHON ?= python3
OMNIBIND_DATA ?= ../shared/data
WORKERS ?= 2
ARGS ?=
# Pinned, so that the same build is used everywhere; a wheel that lies on disk wins over a download.
TORCH ?= torch==2.13.0
# ROS 2's Python packages are the system's; types are checked against the newest, which the system seldom has.
VENV_FLAGS ?= $(if $(ROS_DISTRO),--system-site-packages)
LINT_VENV := $(if $(ROS_DISTRO),.venv-lint,.venv-test)

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test lint train clean
export PIP_DISABLE_PIP_VERSION_CHECK := 1

help: ## this list
	@echo "usage: make TARGET [ARGS=\"...\"] [OMNIBIND_DATA=$(OMNIBIND_DATA)] [PYTHON=$(PYTHON)]"
	@sed -nE 's/^([a-z]+):[^#]*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 10

demo: .venv-demo/.ready ## sensors come, fail and go, recognition goes on: ARGS="--root ../shared/data --json demo.json"
	@$(<D)/bin/omnibind demo $(ARGS)

test: .venv-test/.ready ## all tests; what needs recordings looks for them in OMNIBIND_DATA
	@OMNIBIND_DATA="$(OMNIBIND_DATA)" OMP_NUM_THREADS=1 $(<D)/bin/python -m pytest -q -n $(WORKERS) $(ARGS)

lint: $(LINT_VENV)/.ready ## style, types, and who imports whom
	@failed=""; \
	for check in "ruff check --quiet" "ruff format --check --quiet" mypy "lint-imports --no-logo"; do \
		$(<D)/bin/$$check || failed="$$failed, $${check%% --*}"; \
	done; \
	test -z "$$failed" || { echo "failed: $${failed:2}"; exit 1; }

train: .venv-train/.ready ## all students and their fusion on the recordings in OMNIBIND_DATA, into runs/digits
	@$(<D)/bin/omnibind train all digits --root "$(OMNIBIND_DATA)" --out runs/digits --jobs $$(nproc) $(ARGS)

clean: ## remove environments, caches and builds; runs/ stays
	@rm -rf .venv-demo .venv-lint .venv-test .venv-train build dist *.egg-info
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find omnibind_ros test -name __pycache__ -prune -exec rm -rf {} +

.venv-demo/.ready: NEEDS = -e .
.venv-test/.ready: NEEDS = "$(TORCH)" -e ".[train,test]"
.venv-lint/.ready: NEEDS = "$(TORCH)" -e ".[train,test]"
.venv-lint/.ready: VENV_FLAGS =
.venv-train/.ready: NEEDS = "$(TORCH)" -e ".[train]"

# An environment whose making was interrupted has no .ready, and is made anew.
.venv-%/.ready: setup.py
	@echo "$(@D): installing ..."; \
	$(PYTHON) -m venv $(if $(wildcard $@),,--clear) $(VENV_FLAGS) $(@D); \
	$(@D)/bin/python -m pip install --quiet --quiet $(NEEDS); \
	touch $@; \
	echo "$(@D): ready after $$SECONDS s"
