# The two commands a newcomer needs are 'make demo' and 'make test'. Both set up .venv first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# the oldest transformers that is supported, which some tests run under
OLDEST := $(VENV)/transformers-4.57
SPREAD := --numprocesses auto --dist loadgroup  # over the processors: tests/conftest.py
# compiled sources are kept, whatever the shell says: without, each process takes 16 CPU s, not 10, to
# collect the tests
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test exhaustive check lint format benchmark notebooks clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed: make PYTHON=python3.12")'
	@echo "Installing into $(VENV): about 6 GB on Linux, most of it what PyTorch brings for GPUs (without: README)."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --editable '.[dev,hf,py2neo]'
	touch $@

$(VENV)/.installed-oldest: $(VENV)/.installed-dev
	$(BIN)/python -m pip install --quiet --upgrade --no-deps --target $(OLDEST) 'transformers==4.57.*' \
		'huggingface-hub<1' 'tokenizers<=0.23.0' requests urllib3 idna certifi charset-normalizer
	touch $@

demo: $(VENV)/.installed  ## build, load and query the graph of the shipped model
	$(BIN)/lib-graph demo

test: $(VENV)/.installed-dev $(VENV)/.installed-oldest  ## every law in some cases, a real Neo4j among them
	$(BIN)/python -m pytest $(SPREAD) -m 'not exhaustive'

exhaustive: $(VENV)/.installed-dev $(VENV)/.installed-oldest  ## the laws that take minutes, and all their other cases
	$(BIN)/python -m pytest $(SPREAD) -m exhaustive

check: lint  ## lint and the quick tests, under a minute
	$(BIN)/python -m pytest -q $(SPREAD) -m 'not slow and not exhaustive and not neo4j'

lint: $(VENV)/.installed-dev  ## ruff, mypy, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev  ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: $(VENV)/.installed-dev  ## measure what the README claims
	$(BIN)/python -m pip install --quiet --editable '.[benchmark]'
	$(BIN)/python -m benchmarks

notebooks: $(VENV)/.installed-dev  ## run the notebooks in examples/ and keep their outputs
	$(BIN)/python -m tools.notebooks

clean:  ## remove the environment and what the demo left
	rm -rf $(VENV) build *.egg-info lib-graph-demo lib-graph-reproduce
