# `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAMPLES := .samples
RUNTIMES := .runtimes
DATA ?= var

.DEFAULT_GOAL := help

help:  ## list the recipes
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(VENV)/.runtime $(SAMPLES)/.ready  ## run the gateway on 127.0.0.1:8080, with sample upstreams
	@$(BIN)/mcp-gateway serve --data $(DATA) --samples $(SAMPLES)

test: $(VENV)/.dev $(SAMPLES)/.oidc $(SAMPLES)/.canaille $(RUNTIMES)/inspector/.ready  ## run the test suite
	$(BIN)/python -m pytest -n auto -q

demo-oauth: $(VENV)/.dev $(SAMPLES)/.oidc  ## tell the story of a call: who calls, who consents, what the upstream sees
	@$(BIN)/python -m tests.demo

test-runtimes: $(VENV)/.dev $(RUNTIMES)/agents/.ready  ## drive Claude Code and Codex (installs 770 MB)
	$(BIN)/python -m pytest -q -m agents tests/runtimes

test-debian: $(VENV)/.dev $(SAMPLES)/.oidc  ## drive a browser and a security token (installs chromium and softhsm2 where apt may)
	sh tests/support/debian.sh chromium softhsm2
	$(BIN)/python -m pytest -q -m debian tests

check: $(VENV)/.dev  ## format, lint, types, imports, sizes, documentation tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/architecture --ignore tests/architecture/test_wheel.py

fix: $(VENV)/.dev  ## format, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

conformance: $(VENV)/.dev $(RUNTIMES)/conformance/.ready  ## run the official suite through the gateway
	$(BIN)/python -m tests.conformance

bench: $(VENV)/.dev  ## measure the path of a call
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench.credential
	$(BIN)/python -m tests.bench.token

soak: $(VENV)/.dev  ## the long runs: 50 kills twice, 100,000 calls of every kind, 10,000 clients of an older upstream
	$(BIN)/python -m tests.soak.kill9 --kills 50
	$(BIN)/python -m tests.soak.kill9_gateway --kills 50
	$(BIN)/python -m tests.soak.load --calls 100000
	$(BIN)/python -m tests.soak.sessions --clients 10000

lock:  ## write the lock files anew (needs uv)
	uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q -o requirements.lock
	uv pip compile pyproject.toml --group dev --group build --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q -o requirements-dev.lock
	uv pip compile tests/support/canaille/requirements.in --universal --python-version 3.11 --generate-hashes --no-annotate --no-header -q -o tests/support/canaille/requirements.lock

clean:  ## remove the environments, not the data
	rm -rf $(VENV) $(SAMPLES) $(RUNTIMES)

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.runtime

# A sample that cannot be installed costs its own tools only: the gateway says which are missing.
# It is tried again at the next start.
$(SAMPLES)/.ready: $(wildcard deploy/samples/*/*)
	@echo "Installing the sample upstreams, this once: some 350 MB, with a Node of their own."
	-@sh deploy/samples/install.sh $(PYTHON) $(SAMPLES) && touch $@

# Programs from npm that tests drive, as their lock files have them: the OpenID provider ...
$(SAMPLES)/.oidc: tests/support/oidc/package-lock.json | $(VENV)/.dev
	sh tests/support/npm.sh $(BIN)/python $(<D) $(SAMPLES)/oidc
	@touch $@

# ... the Inspector, the coding agents, and the conformance suite.
$(RUNTIMES)/%/.ready: tests/support/runtimes/%/package-lock.json | $(VENV)/.dev
	sh tests/support/npm.sh $(BIN)/python $(<D) $(@D)
	@touch $@

# A second OpenID provider, from PyPI, in an environment of its own.
$(SAMPLES)/.canaille: tests/support/canaille/requirements.lock
	$(PYTHON) -m venv --clear $(SAMPLES)/canaille
	$(SAMPLES)/canaille/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<
	@touch $@

.PHONY: help up test demo-oauth test-runtimes test-debian check fix conformance bench soak lock clean
