# All a newcomer needs. `make` alone says what there is.

SHELL := /bin/bash
.SHELLFLAGS := -e -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON := /usr/bin/python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# STRICT=1: tests that this machine cannot run are a failure, not a remark.
STRICT ?=
# The second cloud that the integration and compat tests bring up, beside any that is there.
TEST_CLOUD := --name test --port-offset 6000

.PHONY: help demo test lint ruff types layers yaml shell unit functional described fuzz document integration compat chaos up down reset status clean root system

help:  ## say what there is
	@echo "Magnum: containers as a service for OpenStack. On Debian 12, as root:"; echo
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/    make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24
	@echo; echo "More: README.md, docs/. Once the environment is there: $(BIN)/magnum-local --help, $(BIN)/magnum help"

demo:  ## set up a cloud on this machine, then show the main job on it
	@export MAGNUM_DEMO_BEGUN=$$(date +%s); $(MAKE) root && $(MAKE) $(READY) && \
	    $(BIN)/magnum-local up && $(BIN)/magnum-local demo

up: root $(READY)  ## bring the cloud up, or up to date with this checkout
	@$(BIN)/magnum-local up

status: $(READY)  ## show what of it runs, and where it logs
	@$(BIN)/magnum-local status

down: $(READY)  ## end every process of the cloud, and keep what it holds
	@$(BIN)/magnum-local down

reset: $(READY)  ## remove the cloud and all that it made
	@$(BIN)/magnum-local reset

test: $(READY)  ## run every check and every test that this machine can run (STRICT=1: all must run)
	@$(MAKE) lint unit functional described integration

lint: ruff types layers yaml shell  ## style, types and layers alone

ruff: $(READY)
	@echo "== ruff"; $(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(READY)
	@echo "== mypy"; $(BIN)/mypy

layers: $(READY)
	@echo "== import-linter"; $(BIN)/lint-imports

yaml: $(READY)
	@echo "== yamllint"; $(BIN)/yamllint --strict .

shell: $(READY)
	@echo "== shellcheck"; \
	files=$$(git ls-files --cached --others --exclude-standard | \
	    while read -r file; do [ ! -f "$$file" ] || ! head -n 1 "$$file" | grep --quiet '^#!.*sh$$' || echo "$$file"; done); \
	[ -z "$$files" ] || $(BIN)/shellcheck $$files

unit: $(READY)  ## unit tests alone
	@echo "== unit tests"; $(BIN)/pytest --quiet --numprocesses auto tests/unit

functional: $(READY)  ## functional tests alone: on SQLite, PostgreSQL and MariaDB
	@echo "== functional tests"; \
	databases="sqlite postgresql mariadb"; \
	if ! reason=$$($(BIN)/python -m tests.databases 2>&1); then \
	    databases=sqlite; \
	    echo; echo "NOT RUN: the functional tests on PostgreSQL and MariaDB:"; echo "$$reason"; \
	    [ -z "$(STRICT)" ] || { echo "STRICT is set, so this is a failure."; exit 1; }; \
	fi; \
	for database in $$databases; do \
	    echo "-- on $$database"; \
	    $(BIN)/pytest --quiet --numprocesses auto --database $$database tests/functional || exit 1; \
	done

described: $(READY)  ## a few requests made of the OpenAPI document alone
	@echo "== requests made of the OpenAPI document"; $(BIN)/pytest --quiet --numprocesses auto tests/fuzz

fuzz: SEED := $(or $(SEED),$(shell date +%s))
fuzz: $(READY)  ## 10,000 of them in each version, others each time (SEED=n: those of that run)
	@echo "== requests made of the OpenAPI document, SEED=$(SEED)"; \
	$(BIN)/pytest --quiet --numprocesses auto -rP --cases 10000 --seed $(SEED) tests/fuzz

document: $(READY)  ## write docs/openapi.json anew
	@$(BIN)/python -m magnum.cmd.openapi >docs/openapi.json

integration: TESTS = tests/integration tests/compat tests/chaos
integration:  ## integration, compat and short chaos tests alone: on clouds of their own, beside yours
compat: TESTS = tests/compat
compat:  ## compat tests alone: clients of 2015 and 2016 from PyPI, each verb of them

integration compat: $(READY)
	@echo "== $@ tests"; \
	if reason=$$($(BIN)/magnum-local $(TEST_CLOUD) check 2>&1); then \
	    $(BIN)/pytest --verbose --durations 20 $(TESTS); \
	else \
	    echo; echo "NOT RUN: the tests in $(TESTS), since they need a local cloud:"; echo "$$reason"; \
	    [ -z "$(STRICT)" ] || { echo "STRICT is set, so this is a failure."; exit 1; }; \
	fi

chaos: root $(READY)  ## ten minutes of trouble in a cloud of its own (SEED=n: that run again; MINUTES=n, DATABASE=mariadb)
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED)) $(if $(MINUTES),--minutes $(MINUTES)) \
	    $(if $(DATABASE),--database $(DATABASE))

clean:  ## remove the Python environment of this checkout
	rm -rf $(VENV)

root:
	@if [ "$$(id -u)" != 0 ]; then \
	    echo "A local cloud needs root: it installs packages, runs the Docker Engine and makes networks."; \
	    echo "Run it as root: sudo make demo (or: su -c 'make demo'). Nothing was changed."; exit 1; \
	fi

# The environment is made in place, as its scripts hold its path; the last file written says that it is whole.
$(READY): requirements.txt requirements-dev.txt setup.cfg pyproject.toml
	@$(MAKE) system
	@echo "Installing Magnum and what it needs into $(VENV) (about half a minute, once)"; \
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV); \
	$(BIN)/python -m pip --disable-pip-version-check install --no-deps --requirement requirements.txt \
	    --requirement requirements-dev.txt 2>$(VENV)/pip.log | awk '{ printf "."; fflush() } END { print "" }' || \
	    { cat $(VENV)/pip.log; exit 1; }; \
	PYTHONWARNINGS=ignore $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-deps --editable .; \
	touch $@

system:
	@if ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	    if [ "$$(id -u)" != 0 ]; then \
	        echo "Python's venv module is missing. As root: apt-get install python3-venv"; exit 1; \
	    fi; \
	    echo "Installing Debian's python3-venv"; \
	    apt-get update --quiet --quiet && \
	    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends python3-venv >/dev/null; \
	fi
