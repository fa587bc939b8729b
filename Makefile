# Two commands do everything on a fresh machine: make run, make test.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test setup worker parts check coverage mutants bench load soak screenshots settings findings collection deployable package lock clean

run: $(VENV)/installed   ## the demo: first load, a run without changes, a run with a few
	$(BIN)/safetyamp-sync demo
	@echo "Next: $(BIN)/safetyamp-sync demo --open keeps the app up and opens its page."

setup: $(VENV)/installed parts   ## what run and test need, and nothing else: for the devcontainer

# One process of pytest per core; tests are shared out one by one, as some files take a hundred times as long as others.
WORKERS ?= logical
# Some machines forbid Python to keep what it compiled: then every process that a test starts compiles everything.
unexport PYTHONDONTWRITEBYTECODE

# The worker's tests come first, so that the last lines are those of all the others.
test: $(VENV)/installed $(VENV)-azure/installed parts $(if $(TESTS),,worker)   ## all tests, or those of TESTS
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(or $(TESTS),tests)

worker: $(VENV)/installed   ## the app under Microsoft's worker library, on Python 3.13
	.ci/worker $(BIN)/python

parts:   ## the real servers and drivers that tests use
	.ci/parts

SCRIPTS = $(shell grep -rlE '^\#!.*sh$$' .ci infra)
check: $(VENV)/installed   ## formatter, linters, type checker
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy function_app.py functions shared cli local tests infra/*.py
	$(BIN)/lint-imports --no-logo
	$(BIN)/shellcheck $(SCRIPTS)
	$(BIN)/actionlint -shellcheck $(BIN)/shellcheck .github/workflows/*.yml
	$(BIN)/hadolint Dockerfile
	.ci/eslint

LEAST_COVERAGE = 95
coverage: $(VENV)/installed   ## which statements of shared/ the unit tests alone reach
	$(BIN)/python -m coverage run --source=shared -m pytest -q tests/unit --ignore tests/unit/infra
	$(BIN)/python -m coverage report --skip-covered --sort=cover --fail-under=$(LEAST_COVERAGE)

bench: $(VENV)/installed   ## calls, CPU and memory at 500 to 100 000 employees
	$(BIN)/python -m local.bench

SAMPLE ?= 400
SEED ?= 1
mutants: $(VENV)/installed   ## which small faults in shared/sync and shared/resilience the unit tests notice
	$(BIN)/python -m tests.mutants --sample $(SAMPLE) --seed $(SEED)

LOAD_CHANGES ?= 50000
LOAD_EMPLOYEES ?= 330
load: $(VENV)/installed   ## bursts, one to eight workers, 50 000 changes; prints calls per window
	LOAD_CHANGES=$(LOAD_CHANGES) LOAD_EMPLOYEES=$(LOAD_EMPLOYEES) $(BIN)/python -m pytest tests/load -rP

SEEDS ?= 1000
soak: $(VENV)/installed   ## any number of seeds of the simulation, on all cores
	$(BIN)/python -m tests.chaos.soak --seeds $(SEEDS)

screenshots: $(VENV)/installed   ## the pictures of the README, by Chromium
	$(BIN)/python -m tests.screenshots

settings: $(VENV)/installed   ## the tables of docs/settings.md anew, from the code
	$(BIN)/python -m local.settings_table

findings: $(VENV)/installed   ## the tables of docs/findings.md anew, from the code
	$(BIN)/python -m local.causes_table

collection: $(VENV)/installed   ## docs/postman anew, from the OpenAPI description
	$(BIN)/python -m local.postman

deployable: $(VENV)-azure/installed   ## the app as Azure has it: requirements.txt and nothing else
	$(VENV)-azure/bin/python -c "import function_app; print(len(function_app.app.get_functions()), 'functions')"

package:   ## what is deployed, made with a Python 3.13: dist/safetyamp-sync.zip
	infra/package dist/safetyamp-sync.zip

$(VENV)/installed: requirements.txt requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

# On 3.13, what a package is made of; before, what requirements.txt says of that Python.
$(VENV)-azure/installed: requirements.txt requirements.lock
	$(PYTHON) -m venv $(VENV)-azure
	$(VENV)-azure/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' \
		&& chosen="--require-hashes -r requirements.lock" || chosen="-r requirements.txt"; \
		$(VENV)-azure/bin/python -m pip install --quiet --disable-pip-version-check $$chosen
	touch $@

lock: $(VENV)/installed   ## requirements.lock anew: what a package and an image are made of
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile requirements.txt --quiet --upgrade --generate-hashes --no-header --no-emit-index-url \
		--python-version 3.13 --python-platform x86_64-manylinux_2_28 -o .lock
	(sed -n '1,/^# Made anew/p' requirements.lock; cat .lock) > .lock.new
	mv .lock.new requirements.lock && rm .lock

clean:
	rm -rf .venv* .parts .local* .mypy_cache .ruff_cache .pytest_cache .coverage* dist bench.json
