# make read            reads the pages in samples/ (make read IMAGE="a.jpg b.png" reads others)
# make test            lint, types, import rules, tests
# Both make a virtual environment in .venv and install what they need into it.

PYTHON ?= python3
VENV ?= .venv
IMAGE ?= $(wildcard samples/*.jpg)
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: read test lint types benchmark clean

read: $(VENV)/.runtime
	@$(VENV)/bin/text-recognizer read $(IMAGE)

test: lint types
	$(VENV)/bin/pytest

lint: $(VENV)/.develop
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	PYTHONPATH=. $(VENV)/bin/lint-imports

types: $(VENV)/.develop
	$(VENV)/bin/mypy

benchmark: $(VENV)/.develop
	$(VENV)/bin/python benchmarks/speed.py
	$(VENV)/bin/python benchmarks/accuracy.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || (echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..." >&2; exit 1)
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

$(VENV)/.develop: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[train,dev]'
	@touch $@ $(VENV)/.runtime

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
