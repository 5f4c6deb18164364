# Two commands for a newcomer: `make demo` and `make test`. Everything goes into .venv.

PYTHON ?= python3
VENV := .venv
LOWEST := .venv-lowest
DUCKLAKE := .venv-ducklake
MYLA := .venv-myla
SECONDS := 60

# Debian packages, each behind a program of it
FOR_QUICK := openssl:openssl
FOR_SLOW := crontab:cron systemd-analyze:systemd chromium:chromium mkfs.xfs:xfsprogs
FOR_DUCKLAKE := pg_ctlcluster:postgresql
FOR_SPARK := java:openjdk-17-jre-headless

# What calls the libraries that runmart depends on: each of them and each command is in test_every_command.py, which
# fails where one has no use. Locks, kills, servers, workers and copies are tested with the newest versions alone.
LOWEST_TESTS := $(addprefix tests/, \
	cli/test_commands.py cli/test_every_command.py models queries lake/parquet \
	notebooks/test_figures.py notebooks/test_report.py \
	ingest/decode ingest/parse ingest/transform ingest/warehouse ingest/test_realdata.py ingest/test_round_trip.py \
	ingest/load/test_merge.py ingest/pull/test_client.py ingest/pull/test_pagination.py)

# Where this is set, each start of an editable install compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-slow test-all test-ducklake test-spark test-lowest environments packages lint format fuzz bench docs clean

help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 14

$(VENV)/.demo: pyproject.toml
	scripts/make-venv $(PYTHON) $(VENV)
	PYTHONWARNINGS=ignore $(VENV)/bin/pip install --quiet --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	PYTHONWARNINGS=ignore $(VENV)/bin/pip install --quiet --editable . --group dev
	@touch $@

$(VENV)/.spark: $(VENV)/.dev
	PYTHONWARNINGS=ignore $(VENV)/bin/pip install --quiet --group spark
	@touch $@

$(LOWEST)/.dev: pyproject.toml constraints/lowest.txt
	scripts/make-venv $(PYTHON) $(LOWEST)
	PYTHONWARNINGS=ignore $(LOWEST)/bin/pip install --quiet --editable . --group test --constraint constraints/lowest.txt
	@touch $@

$(DUCKLAKE)/.dev: pyproject.toml constraints/ducklake.txt
	scripts/make-venv $(PYTHON) $(DUCKLAKE)
	PYTHONWARNINGS=ignore $(DUCKLAKE)/bin/pip install --quiet --editable . --group ducklake --constraint constraints/ducklake.txt
	@touch $@

$(MYLA)/.dev: constraints/myla.txt
	scripts/make-venv $(PYTHON) $(MYLA)
	PYTHONWARNINGS=ignore $(MYLA)/bin/pip install --quiet --no-deps --requirement constraints/myla.txt
	@touch $@

demo: $(VENV)/.demo  ## Load a sample of real pages and print what they answer
	$(VENV)/bin/runmart demo

test: $(VENV)/.dev  ## Run the quick tests
	scripts/install-packages $(FOR_QUICK)
	$(VENV)/bin/pytest -n 2 -m "not slow and not ducklake and not spark"

test-slow: $(VENV)/.dev $(MYLA)/.dev  ## Run the tests that take longer: memory, kills, soak, browser
	scripts/install-packages $(FOR_QUICK) $(FOR_SLOW)
	$(VENV)/bin/pytest -n 2 --dist loadfile -m "slow and not ducklake and not spark"

test-ducklake: $(DUCKLAKE)/.dev  ## Run the tests of DuckLakes, with PostgreSQL and an S3 server
	scripts/install-packages $(FOR_DUCKLAKE)
	$(DUCKLAKE)/bin/pytest tests/ducklake

test-spark: $(VENV)/.spark  ## Run the tests of Spark: PySpark takes 490 MB, and Java is needed
	scripts/install-packages $(FOR_SPARK)
	$(VENV)/bin/pytest -m spark tests/lake/spark

test-all: test test-slow test-ducklake test-spark  ## Run all tests

test-lowest: $(LOWEST)/.dev  ## Run the tests of what calls libraries with the oldest versions that are supported
	scripts/install-packages $(FOR_QUICK)
	$(LOWEST)/bin/pytest -n 2 -m "not slow or lowest" $(LOWEST_TESTS)

environments: $(VENV)/.spark $(LOWEST)/.dev $(DUCKLAKE)/.dev $(MYLA)/.dev

packages:
	scripts/install-packages $(FOR_QUICK) $(FOR_SLOW) $(FOR_DUCKLAKE) $(FOR_SPARK)

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

fuzz: $(VENV)/.dev  ## Check inputs that nobody wrote, for some SECONDS
	$(VENV)/bin/python -m tests.fuzz --seconds $(SECONDS)

bench: $(VENV)/.dev  ## Time runmart beside its peers, on the same runs and responses
	$(VENV)/bin/python benchmarks/bench.py
	$(VENV)/bin/python benchmarks/responses.py

clean:  ## Remove what the other targets made
	rm -rf $(VENV) $(LOWEST) $(DUCKLAKE) $(MYLA) build *.egg-info .pytest_cache .ruff_cache .hypothesis demo.duckdb
