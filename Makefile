# One command sets up and runs, one sets up and tests. See 'make help'.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
PY := $(BIN)/python
STAMP := .venv/.installed
PIP := -m pip --disable-pip-version-check --no-input
PYTEST := $(PY) -m pytest -q --durations=5

# Compiled kernels of a test run live in a folder of its own and go away with it; the modes of one 'make test' share theirs. Two processes
# that compile much at once have one each until both are done: numba's index of a kernel does not expect another writer.
THROWAWAY = scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	export NUMBA_CACHE_DIR="$${CLVSIM_TEST_KERNELS:-$$scratch}"

# Tests of what takes its threads by the cores there are, and of numbers that are stored: hashes, bytes of folders, a printed page.
BY_CORES = tests/engine tests/kernels $(addprefix tests/studies/test_,existing.py folder.py result.py simulate.py) \
	tests/verification/test_published.py

# Two goals at once, each on one core; what they print is shown goal by goal, and one that fails fails both.
TWO = $(MAKE) --no-print-directory -j 2 --output-sync=target

# The first Python that can do it; a pyenv shim of a version that is not chosen only prints an error, so each one is tried.
define FIND_PYTHON
found=; old=; \
for candidate in $(PYTHON) python3.11 python3.12 python3.13 python3; do \
	"$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2> /dev/null || continue; \
	old=$$candidate; \
	if "$$candidate" -c 'import ensurepip, venv' 2> /dev/null; then found=$$candidate; break; fi; \
done; \
if [ -z "$$old" ]; then echo "make: needs Python 3.11, 3.12 or 3.13: apt install python3 python3-venv, or make PYTHON=/path/to/python" >&2; exit 1; fi; \
if [ -z "$$found" ]; then echo "make: $$old needs python3-venv: apt install python3-venv" >&2; exit 1; fi
endef

.PHONY: help install run test kernels-group kernels-period lint typecheck tests tests-no-jit tests-one-thread tests-wheel docs pins clean

help: ## say what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 26

install: $(STAMP) ## make the virtual environment .venv

run: $(STAMP) ## compare policies for the default scenario, and write the report
	@$(BIN)/clvsim compare

test: $(STAMP) ## run every check and every test
	@$(THROWAWAY); export CLVSIM_TEST_KERNELS="$$scratch"; \
	$(TWO) kernels-group kernels-period lint typecheck; \
	for made in "$$scratch"/kernels-*; do cp -r "$$made"/. "$$scratch"; done; \
	$(MAKE) --no-print-directory tests tests-no-jit; \
	$(TWO) tests-one-thread tests-wheel

kernels-group kernels-period: $(STAMP)
	@echo "Compiling the driver by $(@:kernels-%=%)"; $(THROWAWAY); NUMBA_CACHE_DIR="$$NUMBA_CACHE_DIR/$@" $(PY) -m tests.running $(@:kernels-%=%)

$(STAMP): requirements-dev.txt pyproject.toml
	@$(FIND_PYTHON); \
	echo "Setting up .venv with $$("$$found" --version); this takes a minute or two." >&2; \
	"$$found" -m venv --clear .venv; \
	$(PY) $(PIP) install -qq --require-hashes -r requirements-dev.txt; \
	$(PY) $(PIP) install -qq --no-deps --no-build-isolation --editable .; \
	touch $(STAMP)

lint: $(STAMP) ## style, layout and the floors of the house
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(BIN)/lint-imports --no-cache

typecheck: $(STAMP) ## types, strictly
	@$(PY) -m mypy

tests: $(STAMP) ## all tests, with JIT
	@echo "Tests with JIT"; $(THROWAWAY); $(PYTEST) -n 2 --dist worksteal

tests-no-jit: $(STAMP) ## the tests that are fit for it without JIT, which shows the branches covered
	@echo "Tests without JIT"; $(THROWAWAY); NUMBA_DISABLE_JIT=1 $(PYTEST) -n 2 --dist worksteal -m "not jit and not package" --cov --cov-report=term

tests-one-thread: $(STAMP) ## the tests of whatever picks threads, on one core and one thread, with JIT
	@echo "Tests on one thread"; $(THROWAWAY); $(PYTEST) --one-thread -m "not package" $(BY_CORES)

tests-wheel: $(STAMP) ## the wheel, in a clean environment, from another folder
	@echo "The wheel in a clean environment"; .ci/wheel $(PY)

docs: $(STAMP) ## build the documentation into docs/_build/html, without a network
	@rm -rf docs/_build; $(PY) -m sphinx -W --keep-going -q -d docs/_build/trees docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

pins: ## renew requirements*.txt (needs uv)
	@for extra in "" -dev; do \
		{ echo "# Pinned and hashed, without addresses. Made by 'make pins'; do not edit."; \
		uv pip compile --quiet --universal --no-strip-extras --generate-hashes --python-version 3.11 --no-header --upgrade \
			$${extra:+--extra dev} pyproject.toml; } > requirements$$extra.txt.new; \
		mv requirements$$extra.txt.new requirements$$extra.txt; \
	done

clean: ## remove the environment and everything that tools left
	@rm -rf .venv build dist docs/_build .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache .coverage .coverage.* htmlcov *.egg-info
	@find sim tests experiments docs -name __pycache__ -type d -prune -exec rm -rf {} +
