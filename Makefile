# Chimes: `make` alone lists the targets. Extra arguments go through ARGS, for example make mutants ARGS=--json
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
BASE_PYTHON ?= /usr/bin/python3
UV_VERSION := 0.13.9
BIN := .venv/bin
export UV_PROJECT_ENVIRONMENT := .venv
unexport VIRTUAL_ENV
ARGS ?=
TESTS := tests/sdk tests/marketplace tests/templates plugins

.PHONY: help setup demo test coverage test-all check mutants docs pictures bench

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

setup: .venv/.ready ## install what the other targets need into .venv

.venv/.ready: uv.lock pyproject.toml sdk/pyproject.toml $(wildcard plugins/*/pyproject.toml) marketplace/pyproject.toml tools/provision
	@echo "setting up .venv (the first time takes a minute)" >&2
	@tools/provision >&2
	@test -x $(BIN)/python || $(BASE_PYTHON) -m venv .venv >&2
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION) >&2
	@$(BIN)/uv sync --frozen --inexact --compile-bytecode --quiet >&2
	@$(BIN)/python -m compileall -q sdk/src plugins/*/src marketplace/src >&2
	@touch $@
	@echo "ready: try .venv/bin/chimes --help, or make demo" >&2

.venv/.ready-full: .venv/.ready
	@tools/provision full >&2
	@$(BIN)/uv sync --frozen --group full --compile-bytecode --quiet >&2
	@touch $@

demo: setup ## the main job on real data, step by step
	$(BIN)/python examples/demo.py $(ARGS)

test: setup ## the test suite
	$(BIN)/python -m pytest -n 3 --dist worksteal $(TESTS) $(ARGS)

coverage: setup ## the test suite again, with the limit that it must run 90 % of the code
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report= $(TESTS) $(ARGS)
	$(BIN)/python -m coverage report

test-all: setup .venv/.ready-full ## what takes longer: journeys, the mutants, the coverage of the test suite
	$(BIN)/python -m pytest -n 2 --dist loadgroup tests/journeys $(ARGS)
	$(MAKE) --no-print-directory mutants ARGS=
	$(MAKE) --no-print-directory coverage ARGS=

check: setup ## format, lint, types, house rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/house

mutants: setup ## every conformance check against a plugin that is broken on purpose
	@$(BIN)/python -m chimes.conformance.gate.matrix $(ARGS)

docs: setup ## write the generated reference pages
	$(BIN)/python tools/reference.py

pictures: setup .venv/.ready-full ## take the pictures of the marketplace's pages for the docs
	$(BIN)/python tools/pictures.py

bench: setup ## measurements as ratios; ARGS=--verify fails where a promise does not hold
	$(BIN)/python benchmarks/startup.py $(ARGS)
	$(BIN)/python benchmarks/checking.py $(ARGS)
	$(BIN)/python benchmarks/listing.py $(ARGS)
	$(BIN)/python benchmarks/commands.py $(ARGS)
