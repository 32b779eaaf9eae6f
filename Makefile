# Two commands need nothing but python3 and make: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 5000

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint pictures bench strings clean

help: ## what each target does
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/ready: requirements-dev.txt pyproject.toml deploy/setup.sh
	PYTHON=$(PYTHON) sh deploy/setup.sh environment
	@touch $@

setup: $(VENV)/ready ## the environment alone, in .venv

demo: setup ## build the demonstration study and serve it on this machine (PORT=5000)
	$(BIN)/pro-app demo --port $(PORT)

test: setup ## all tests, with real Chromium and real PostgreSQL
	sh deploy/setup.sh tests
	$(BIN)/python -m pytest -n auto

lint: setup ## ruff, mypy, templates, catalogues, instruments
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/djlint templates --lint --quiet
	$(BIN)/python translations/update.py --check
	$(BIN)/pro-app instruments check

pictures: setup ## take the pictures of the README anew
	sh deploy/setup.sh tests
	$(BIN)/python tests/browser/take_pictures.py

bench: setup ## every benchmark, each beside its reference
	sh deploy/setup.sh tests
	for one in benchmarks/[a-z]*.py; do PYTHONPATH=. $(BIN)/python $$one || exit 1; done

strings: setup ## bring the four catalogues up to the strings in use
	$(BIN)/python translations/update.py

clean: ## remove what the other targets made
	rm -rf $(VENV) instance build .pytest_cache .mypy_cache .ruff_cache .hypothesis
