# The commands of the README are `make run`, `make install` and `make test`; all need only Python 3.11+, pip, venv and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: help install run test test-all lint fast bench clean

help: ## list these commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

$(INSTALLED): pyproject.toml deploy/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "CallGuard needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint deploy/constraints.txt --editable '.[dev]'
	touch $@

install: $(INSTALLED) ## install the commands into .venv/bin, and start nothing

run: $(INSTALLED) ## start CallGuard (without Twilio credentials: the sandbox)
	@exec $(BIN)/callguard up

test: $(INSTALLED) ## check style, types and architecture, and run the tests that are quick; a few minutes
	@$(MAKE) --no-print-directory --jobs=2 lint fast

fast: $(INSTALLED)
	$(BIN)/pytest --numprocesses=3 -m "not full"

test-all: $(INSTALLED) ## run the other tests: process trees, kills, many examples, a second Redis; some 20 minutes
	$(BIN)/pytest --numprocesses=2 -m "full or hypothesis" --hypothesis-profile=full
	$(BIN)/pytest --numprocesses=3 -m "not full" --server=redis

lint: $(INSTALLED) ## style, types and architecture only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bench: $(INSTALLED) ## measure the figures of tests/benchmarks/README.md; suggested-8 (a quarter of an hour) only by name
	$(BIN)/python -m tests.benchmarks

clean: ## remove the virtual environment and caches
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
