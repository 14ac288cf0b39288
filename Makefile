# larp: `make demo` installs it and shows it running, `make test` runs the tests.

SHELL := /bin/sh
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
DEMO_HOME ?= .larp
PYTEST_OPTIONS ?= --numprocesses auto --dist worksteal

# The first interpreter that is new enough, including those of pyenv.
PYTHON := $(shell for python in python3.13 python3.14 python3 python \
	"$$HOME"/.pyenv/versions/3.1[3-9]*/bin/python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 13))' 2>/dev/null \
	&& echo "$$python" && break; done)

.PHONY: help
help: ## Show this help.
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(INSTALLED): pyproject.toml requirements-dev.txt
ifeq ($(PYTHON),)
	@echo "error: larp needs Python 3.13 or newer, and none is on PATH" >&2
	@echo "hint: pyenv install 3.13" >&2
	@exit 1
endif
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

.PHONY: install
install: $(INSTALLED) ## Install larp and everything for development into .venv.

.PHONY: demo
demo: $(INSTALLED) ## Set up a database on the embedded PostgreSQL, and check its health.
	env -u DATABASE_URL LARP_HOME="$(abspath $(DEMO_HOME))" $(BIN)/larp db init
	env -u DATABASE_URL LARP_HOME="$(abspath $(DEMO_HOME))" $(BIN)/larp health

.PHONY: test
test: $(INSTALLED) ## Run all tests.
	$(BIN)/pytest $(PYTEST_OPTIONS)

.PHONY: coverage
coverage: $(INSTALLED) ## Run all tests with coverage; too little fails.
	$(BIN)/coverage erase
	$(BIN)/pytest $(PYTEST_OPTIONS) --cov

.PHONY: contracts
contracts: $(INSTALLED) ## Test with the oldest Alembic that is supported.
	.ci/contracts $(PYTEST_OPTIONS)

.PHONY: lint
lint: $(INSTALLED) ## Check style, types, imports, docs and lock files.
	$(BIN)/black --check --quiet --diff .
	$(BIN)/isort --check-only --quiet --diff .
	$(BIN)/flake8
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/cog --check -r docs/*.md
	$(BIN)/larp requirements check --quiet

.PHONY: check
check: lint contracts coverage ## Run what a change has to pass.

.PHONY: format
format: $(INSTALLED) ## Format the code.
	$(BIN)/isort --quiet .
	$(BIN)/black --quiet .

.PHONY: docs
docs: $(INSTALLED) ## Regenerate the generated parts of the docs, and .env.example.
	$(BIN)/cog -r docs/*.md
	$(BIN)/larp config template > .env.example

.PHONY: lock
lock: $(INSTALLED) ## Update the lock files.
	$(BIN)/larp requirements update

.PHONY: bench
bench: $(INSTALLED) ## Measure larp beside other tools.
	$(BIN)/python -m bench

.PHONY: clean
clean: ## Remove everything that was built, and stop the demo's database.
	-[ ! -x $(BIN)/larp ] || LARP_HOME="$(abspath $(DEMO_HOME))" $(BIN)/larp db stop --quiet
	rm -rf $(VENV) $(DEMO_HOME) build dist htmlcov .coverage .coverage.* *.egg-info
	rm -rf .mypy_cache .pytest_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
