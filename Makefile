# NetPulse: set-up, and what one does with a checkout. `make demo` and `make test` need Python 3.11 with venv, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The set-up depends on what is installed and on the interpreter that it is installed for.
LAB := $(VENV)/.lab
TEST := $(VENV)/.test

.DEFAULT_GOAL := help
.PHONY: help demo test faults check bench lock clean

help: ## Show this list.
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

demo: $(LAB) ## Run everything with 20 simulated devices, and show first results.
	@$(BIN)/netpulse demo

JOBS ?= 3
test: $(TEST) ## Run the tests, JOBS=3 files at a time, on embedded PostgreSQLs (or on DATABASE_URL's).
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(ARGS)

SEEDS ?= 10
faults: $(TEST) ## Run the long faults suite, SEEDS=10 times with different seeds.
	@FAULT_SEEDS=$(SEEDS) $(BIN)/python -m pytest -x -s tests/e2e/faults $(ARGS)

check: $(TEST) ## Lint, type-check, and hold the layers apart.
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(TEST) ## Measure, against references taken in the same run; writes bench.json.
	@$(BIN)/python -m tests.bench $(ARGS)

lock: ## Pin the newest versions that pyproject.toml allows, with hashes and without addresses.
	deploy/lock.sh

clean: ## Remove the virtual environment; the demo's data in .netpulse stays.
	rm -rf $(VENV)

$(LAB): requirements-lab.lock pyproject.toml deploy/install.sh
	@deploy/install.sh $(PYTHON) $(VENV) requirements-lab.lock
	@touch $@

$(TEST): requirements-test.lock pyproject.toml deploy/install.sh
	@deploy/install.sh $(PYTHON) $(VENV) requirements-test.lock
	@touch $(LAB) $@

