# Two commands for a newcomer: `make demo` and `make test`. Everything goes into .venv.

PYTHON ?= python3
VENV := .venv
LOWEST := .venv-lowest

.PHONY: help demo test test-all test-lowest lint format bench docs clean

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

$(VENV)/.demo: pyproject.toml
	scripts/make-venv $(PYTHON) $(VENV)
	PYTHONWARNINGS=ignore $(VENV)/bin/pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	PYTHONWARNINGS=ignore $(VENV)/bin/pip install --quiet --editable . --group dev
	@touch $@

$(LOWEST)/.dev: pyproject.toml constraints/lowest.txt
	scripts/make-venv $(PYTHON) $(LOWEST)
	PYTHONWARNINGS=ignore $(LOWEST)/bin/pip install --quiet --editable . --group test --constraint constraints/lowest.txt
	@touch $@

demo: $(VENV)/.demo  ## Load a sample of real pages and print what they answer
	$(VENV)/bin/runmart demo

test: $(VENV)/.dev  ## Run the quick tests
	scripts/install-packages openssl:openssl
	$(VENV)/bin/pytest -n 2 -m "not slow"

test-all: $(VENV)/.dev  ## Run all tests
	scripts/install-packages crontab:cron systemd-analyze:systemd openssl:openssl chromium:chromium mkfs.xfs:xfsprogs
	$(VENV)/bin/pytest -n 2

test-lowest: $(LOWEST)/.dev  ## Run the quick tests with the oldest versions that are supported
	scripts/install-packages openssl:openssl
	$(LOWEST)/bin/pytest -n 2 -m "not slow"

lint: $(VENV)/.dev  ## Check style, types and the direction of imports
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports

format: $(VENV)/.dev  ## Put the code into its standard form
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

docs: $(VENV)/.dev  ## Write the generated documentation
	$(VENV)/bin/python docs/generate.py

bench: $(VENV)/.dev  ## Time runmart beside its peers, on the same runs
	$(VENV)/bin/python benchmarks/bench.py

clean:  ## Remove what the other targets made
	rm -rf $(VENV) $(LOWEST) build *.egg-info .pytest_cache .ruff_cache .hypothesis demo.duckdb
