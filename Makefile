# make read            reads the pages in samples/ (make read IMAGE="a.jpg b.png" reads others)
# make serve           the web page and the REST API, on this machine
# make test            lint, types, import rules, tests
# make test-slow       the tests that start clusters, other servers or longer trainings
# make gate            the shipped models must pass the suite that a promotion asks for
# make label-studio    Label Studio in .label-studio, for its test (a gigabyte, an environment of its own)
# All make a virtual environment in .venv and install what they need into it.

PYTHON ?= python3
VENV ?= .venv
LABEL_STUDIO ?= .label-studio
GATED ?= lines open detector open-detector characters paragraphs
IMAGE ?= $(wildcard samples/*.jpg)
PYTEST = $(VENV)/bin/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
PIP = $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: read serve test test-slow lint types gate benchmark label-studio clean

read: $(VENV)/.runtime
	@$(VENV)/bin/text-recognizer read $(IMAGE)

serve: $(VENV)/.serving
	@$(VENV)/bin/text-recognizer serve

test: lint types
	$(PYTEST) -m 'not slow'

test-slow: $(VENV)/.develop
	$(PYTEST) -m slow

lint: $(VENV)/.develop
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	PYTHONPATH=. $(VENV)/bin/lint-imports

types: $(VENV)/.develop
	$(VENV)/bin/mypy

gate: $(VENV)/.develop
	for bundle in $(GATED); do $(VENV)/bin/text-recognizer evaluate $$bundle --suite basic || exit 1; done

# With the database that each new server would begin with: making it takes longer than all else in the test.
label-studio: $(LABEL_STUDIO)/empty/label_studio.sqlite3

$(LABEL_STUDIO)/empty/label_studio.sqlite3:
	rm -rf $(LABEL_STUDIO)/begun
	$(PYTHON) -m venv $(LABEL_STUDIO)
	$(LABEL_STUDIO)/bin/python -m pip install --quiet --disable-pip-version-check 'label-studio>=1.23'
	COLLECT_ANALYTICS=false LATEST_VERSION_CHECK=false SENTRY_DSN= \
		$(LABEL_STUDIO)/bin/label-studio version --data-dir $(LABEL_STUDIO)/begun
	mv $(LABEL_STUDIO)/begun $(LABEL_STUDIO)/empty

benchmark: $(VENV)/.develop
	$(VENV)/bin/python -m benchmarks.cost.speed
	$(VENV)/bin/python -m benchmarks.reading.accuracy

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
	$(PIP) --editable '.[train,wandb,sweep,ray,notebooks,serve,alerts,postgres,s3,versions,dev]'
	@touch $@ $(VENV)/.runtime $(VENV)/.serving

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
