.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
export PYTHONPATH := $(CURDIR)
PYTEST := $(BIN)/python -m pytest -q

##@ Using it
demo: .venv/ready ## Start a demo city on this machine; Ctrl-C stops everything
	@$(BIN)/python -m backend demo

replay: .venv/ready ## Live a recorded day: make replay FILE=path FORMAT=hhcrsp|mdrp
	@$(BIN)/python -m backend replay $(FILE) --format $(FORMAT)

##@ Working on it
setup: .venv/ready-dev ## Make the virtual environment from the hash-locked requirements

.venv/ready: requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { echo "On Debian this needs: apt install python3-venv"; exit 1; }
	@echo "Installing the locked requirements (once, under a minute) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s/.venv/bin/python" -m backend "$$@"\n' "$(CURDIR)" "$(CURDIR)" > $(BIN)/yinling
	@chmod +x $(BIN)/yinling
	@touch .venv/ready

.venv/ready-dev: .venv/ready requirements-dev.lock
	@echo "Installing what the tests need (once) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch .venv/ready-dev

lock: ## Write the requirement files anew, with hashes and without hosts
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements-dev.lock

format: setup ## Format and mend what can be mended
	@$(BIN)/ruff check -q --fix backend dispatch migrations tests; $(BIN)/ruff format -q backend dispatch migrations tests

##@ Checking it
check: setup ## Format, lint, types, import directions, unit and property tests
	@$(BIN)/ruff format --check -q backend dispatch migrations tests
	@$(BIN)/ruff check -q backend dispatch migrations tests
	@$(BIN)/basedpyright --level error & types=$$!; \
	  $(BIN)/lint-imports && $(PYTEST) tests/unit tests/properties; rest=$$?; wait $$types && exit $$rest

properties: setup ## Properties on days nobody has looked at yet; what they find is to be mended
	@$(PYTEST) tests/properties --hypothesis-profile=new

integration: setup ## Slices against a real database
	@$(PYTEST) tests/integration

e2e: setup ## Stories through HTTP and sockets
	@$(PYTEST) tests/e2e

chaos: setup ## Processes killed in the middle
	@$(PYTEST) tests/chaos

fuzz: setup ## Anything sent to any route
	@$(PYTEST) tests/fuzz

robust: setup ## People and clients who do what they should not, in short
	@$(PYTEST) tests/hostile

hostile: setup ## The same for long, from a new seed, which is printed
	@YINLING_EFFORT=full $(PYTEST) tests/hostile -s

browser: setup ## The pages in Chromium
	@$(PYTEST) tests/browser

bench: setup ## Quality of plans beside other solvers: make bench ARGS="--rows solomon --instances FOLDER"
	@$(BIN)/python -m tests.benchmarks.bench $(ARGS)

test: check integration e2e chaos fuzz robust browser ## Everything but the long runs

.PHONY: help demo replay setup lock format check properties bench integration e2e chaos fuzz robust hostile browser test
help: ## Show this help
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*##/ {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
