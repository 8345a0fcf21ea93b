# Few verbs. `make` alone lists them.
#   make test ARGS="tests/campaigns -x"    one part of the tests
#   make demo EXIT=1                       ends the demo by itself
#   make demo INSTAGRAM=1                  through the official API, against a double of Instagram
#   make setup PYTHON=python3.12           another Python than the first that fits

PYTHON ?=
ARGS ?=
EXIT ?=
INSTAGRAM ?=

VENV := .venv
BIN := $(VENV)/bin
NODE_PACKAGES := tests/node/node_modules/.installed
INSTALLED := $(VENV)/.installed
ASSETS := iglayers/dashboard/assets
VENDOR := iglayers/dashboard/static/vendor/icons.svg
PIP := $(BIN)/python -m pip --disable-pip-version-check
TREES := $(wildcard iglayers tests examples benchmarks)

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fix serve bench lock schema openapi browser screenshots

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' Makefile

setup: $(INSTALLED) $(VENDOR) ## make .venv and install everything, pinned and checked by hash

# The interpreter is tried, not only looked for: a version manager leaves commands that do not run.
# Without ensurepip (Debian without python3-venv) the system's pip, 22.3 or newer, fills the environment.
$(INSTALLED): constraints.txt pyproject.toml
	@set -e; \
	fits() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }; \
	if ! fits $(BIN)/python || ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    found=; \
	    for name in $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python3.14); do \
	        if fits "$$name"; then found=$$name; break; fi; \
	    done; \
	    if [ -z "$$found" ]; then \
	        echo "IG Layers needs Python 3.11 or newer; none of these is it: $(if $(PYTHON),$(PYTHON),python3 python3.13 python3.12 python3.11 python3.14)." >&2; \
	        echo "Install one (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python@3.13)," >&2; \
	        echo "or name it: make setup PYTHON=/path/to/python3" >&2; \
	        exit 1; \
	    fi; \
	    echo "Making $(VENV) with $$("$$found" --version)"; \
	    if "$$found" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
	        "$$found" -m venv --clear $(VENV); \
	    elif "$$found" -c 'import venv, pip; assert tuple(map(int, pip.__version__.split(".")[:2])) >= (22, 3)' >/dev/null 2>&1; then \
	        "$$found" -m venv --clear --without-pip $(VENV); \
	        "$$found" -m pip --disable-pip-version-check --python $(BIN)/python install --quiet --require-hashes --only-binary :all: -r constraints.txt; \
	    else \
	        echo "This Python cannot make a virtual environment: its ensurepip is missing, and it has no pip of its own." >&2; \
	        echo "On Debian and Ubuntu: apt install python3-venv (or python3-pip). Then again: make setup" >&2; \
	        exit 1; \
	    fi; \
	fi
	@echo "Installing what constraints.txt names (about a minute, once)"
	@$(PIP) install --quiet --require-hashes -r constraints.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Icons, charts and live parts of the dashboard. Without Node they are left out, and everything else works.
$(VENDOR): $(ASSETS)/package.json $(ASSETS)/package-lock.json $(ASSETS)/build.mjs
	@if command -v npm >/dev/null 2>&1; then \
	    npm ci --prefix $(ASSETS) --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null \
	    && node $(ASSETS)/build.mjs && touch $@; \
	else \
	    echo "Node is not installed: the dashboard goes without icons, charts and live parts. With it: make setup" >&2; \
	fi

demo: setup ## a whole campaign on a throw-away installation (EXIT=1: end afterwards, INSTAGRAM=1: the official API)
	@EXIT=$(EXIT) $(BIN)/python examples/$(if $(INSTAGRAM),official,demo).py

# All of them in a process for each core, each with a PostgreSQL of its own; those that are named, in one process.
test: setup $(NODE_PACKAGES) browser ## the tests (ARGS="tests/campaigns -x")
	@$(BIN)/python -m pytest $(or $(ARGS),-n auto --maxprocesses 4 --dist loadfile)

# For the samples in Node; on a machine without Node their tests say that they were left out.
$(NODE_PACKAGES): tests/node/package.json tests/node/package-lock.json
	@if command -v npm >/dev/null 2>&1; then \
	    npm ci --prefix tests/node --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null && touch $@; \
	fi

# tests/browser drives a Chromium that is on this machine, and makes none appear but as root on Debian and Ubuntu.
browser:
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
	    command -v $$name >/dev/null 2>&1 && exit 0; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	    echo "Installing Chromium for tests/browser"; \
	    apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1 && exit 0; \
	fi; \
	echo "No Chromium found, so tests/browser says so and fails. Install chromium or google-chrome." >&2

screenshots: setup browser ## a picture of each page of the dashboard into screenshots/, light and dark, wide and narrow
	@$(BIN)/python -m tests.browser.screenshots

check: setup ## formatting, lint, types, import order, house rules
	$(BIN)/ruff format --check $(TREES)
	$(BIN)/ruff check $(TREES)
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/house

fix: setup ## format, and repair what can be repaired
	$(BIN)/ruff format $(TREES)
	$(BIN)/ruff check --fix $(TREES)

serve: setup ## database, API, dashboard and worker on this machine, until Ctrl-C
	@$(BIN)/iglayers serve

bench: setup ## every benchmark in turn
	@set -e; for file in benchmarks/*.py; do \
	    [ -e "$$file" ] || { echo "no benchmarks yet"; break; }; \
	    echo "== $$file"; $(BIN)/python "$$file"; \
	done

schema: setup ## iglayers/migrations/schema.sql anew from the migrations
	@$(BIN)/python -m tests.house.schema

openapi: setup ## docs/openapi.json anew from the routes
	@$(BIN)/python -m tests.web.openapi

lock: setup ## constraints.txt anew from pyproject.toml (UPGRADE=1: to the newest versions)
	@$(BIN)/pip-compile pyproject.toml --output-file constraints.txt $(if $(UPGRADE),--upgrade) --quiet \
	    --generate-hashes --all-extras --all-build-deps --allow-unsafe --strip-extras \
	    --no-header --no-emit-options --no-emit-index-url --no-emit-trusted-host --no-emit-find-links
