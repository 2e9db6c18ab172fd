# make read            reads the pages in samples/ (make read IMAGE="a.jpg b.png" reads others)
# make serve           the web page and the REST API, on this machine
# make test            lint, types, import rules, tests
# All make a virtual environment in .venv and install what they need into it.

PYTHON ?= python3
VENV ?= .venv
IMAGE ?= $(wildcard samples/*.jpg)
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: read serve test lint types benchmark clean

read: $(VENV)/.runtime
	@$(VENV)/bin/text-recognizer read $(IMAGE)

serve: $(VENV)/.serving
	@$(VENV)/bin/text-recognizer serve

test: lint types
	$(VENV)/bin/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

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

$(VENV)/.serving: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[serve]'
	@touch $@ $(VENV)/.runtime

$(VENV)/.develop: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) --editable '.[train,wandb,sweep,ray,notebooks,serve,postgres,s3,dev]'
	@touch $@ $(VENV)/.runtime $(VENV)/.serving

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
