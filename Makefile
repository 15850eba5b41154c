# One command for each thing. `make env` alone sets up; `make up` starts Infinite Ocean.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked

.PHONY: env up test check docs format bench shots faults lock clean

env: $(STAMP)

$(STAMP): ops/lock/dev.txt pyproject.toml
	@sh ops/preflight.sh $(PYTHON)
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages into $(VENV) (about a minute the first time) ..."
	@HNSWLIB_NO_NATIVE=1 $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r ops/lock/dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
	@touch $(STAMP)

up: env
	@$(BIN)/ocean up

# The language and the domain have every branch tested; the rest runs in processes that coverage does not see.
# Two files at a time, in their order: more would share this many cores with the servers they start, and the longest have few tests, which
# would come last by their number.
test: env
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report term

# Pictures of the themes, in ./shots.
shots: env
	@$(BIN)/python -m ops.shots shots

# The fault runs at their full length: 100 kills of each process, 100,000 statements, 1,000,000 moves of money.
faults: env
	@OCEAN_FAULT_ROUNDS=100 OCEAN_STATEMENTS=100000 OCEAN_MOVES=1000000 $(BIN)/python -m pytest tests/faults --timeout 3600 -v

check: env
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m ops.reference --check

docs: env
	@$(BIN)/python -m ops.reference

format: env
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: env
	@$(BIN)/python -m ops.bench

clean:
	rm -rf $(VENV) build *.egg-info

# Settles the lock files anew, keeping what is there where it still fits.
lock:
	cd ops/lock && uv pip compile -q --no-strip-extras --no-header --universal --python-version 3.11 --generate-hashes --no-emit-index-url ../../pyproject.toml -o runtime.txt
	cd ops/lock && uv pip compile -q --no-strip-extras --no-header --universal --python-version 3.11 --generate-hashes --no-emit-index-url --extra dev -c runtime.txt ../../pyproject.toml -o dev.txt
