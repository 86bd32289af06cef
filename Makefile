# Two commands do everything: `make demo` and `make test`. Both make the environment first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DOCS := .venv-docs
CORES ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
# the configuration that `make demo` and `make plan` use: `make demo CONFIG=config/small/config.yaml`
CONFIG ?= config/demo/config.yaml
RESULTS = $(or $(shell sed -n 's/^results: *//p' $(CONFIG)),results)
SNAKEMAKE = $(BIN)/snakemake --profile profiles/default --cores $(CORES) --configfile $(CONFIG)

.PHONY: help readable demo plan test lint format config docs lock clean install
help: ## show this list
	@grep -hE '^[a-z%-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
	  echo "Spinome needs Python 3.11, '$(PYTHON)' is not: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Making the environment in $(VENV) from requirements.lock; this takes a few minutes once."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check --quiet --requirement requirements.lock
	touch $@

install: $(VENV)/.installed ## make the environment from the lock file

# Snakemake answers to such a file with a traceback, before it reads the workflow
readable:
	@iconv -f UTF-8 -t UTF-8 '$(CONFIG)' > /dev/null 2>&1 || { \
	  echo "$(CONFIG): is absent or no text in UTF-8; name a configuration: make demo CONFIG=config/small/config.yaml"; \
	  exit 1; }

demo: readable install ## run the whole workflow on real and simulated data and print where the report is
	$(SNAKEMAKE) --quiet host rules -- all
	@echo "Report: $(CURDIR)/$(RESULTS)/report.html"

plan: readable install ## show what `make demo` would run, and why
	$(SNAKEMAKE) --dry-run --quiet host -- all

test: install ## run the test suite
	$(BIN)/pytest --numprocesses $(CORES) --dist loadfile --no-loadscope-reorder

lint: install ## check format and style of Python, rules and workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/mypy

format: install ## format Python and rules
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

config: install ## write the default configuration, its schema and its documentation from the typed models
	PYTHONPATH=scripts $(BIN)/python -m spinome.configuration

# the site's tools are no part of the program, and have an environment of their own
$(DOCS)/.installed: pyproject.toml
	$(PYTHON) -m venv --clear $(DOCS)
	$(DOCS)/bin/pip install --disable-pip-version-check --quiet $$($(DOCS)/bin/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['docs'])")
	touch $@

docs: $(DOCS)/.installed ## build the documentation site into site/; a broken link is an error
	rm -rf site
	$(DOCS)/bin/python docs/assemble.py .site-pages
	PYTHONPATH=docs $(DOCS)/bin/zensical build --strict --clean

bench-%: install ## compare one branch with its peers, for example `make bench-neurons`
	PYTHONPATH=scripts:benchmarks:tests $(BIN)/python benchmarks/$*.py

lock: ## write the lock file anew from pyproject.toml
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/pip install --quiet $$(.venv-lock/bin/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*p['dependencies'], *p['optional-dependencies']['dev'])")
	.venv-lock/bin/pip freeze | sed -E 's/\+cpu$$//' > requirements.lock
	rm -rf .venv-lock

clean: ## remove the results of the demo, not the downloads
	rm -rf $(RESULTS)
