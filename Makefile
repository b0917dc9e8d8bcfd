# Everything on a fresh machine: python3 with venv, and make. uv is used where present.
VENV   := .venv
PYTHON := $(VENV)/bin/python
READY  := $(VENV)/.ready

.PHONY: help demo test check bench clean

help:
	@echo "make demo    the tutorial's story: numbers, checks, figures (in demo/)"
	@echo "make test    lint, types and all tests, on the native kernel and on NumPy's"
	@echo "make check   lint and types only"
	@echo "make bench   benchmarks, into benchmarks/RESULTS.md"
	@echo "make clean   remove what the above have made"

$(READY): pyproject.toml CMakeLists.txt $(wildcard native/*)
	@rm -f $(READY)
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing $(VENV) && \
	  uv pip install --quiet --python $(PYTHON) --editable '.[dev]'; \
	else \
	  python3 -m venv $(VENV) && \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'; \
	fi
	@touch $(READY)

demo: $(READY)
	@$(VENV)/bin/chainrule demo --out demo

check: $(READY)
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy

# what depends on the kernel, once more on NumPy's
IN_NUMPY := $(addprefix tests/,heart kernels objectives optimize rows bayes pipeline) \
  $(addprefix tests/,estimators/test_warm_and_early.py estimators/test_callbacks.py cli/test_commands.py)

test: check
	@$(PYTHON) -m pytest -n 2
	@CHAINRULE_KERNEL=reference $(PYTHON) -m pytest -n 2 $(IN_NUMPY) \
	  --ignore tests/optimize/test_native.py --ignore tests/optimize/test_native_solvers.py

# the peers; R's nnet comes from Debian (r-base-core, r-cran-nnet)
bench: $(READY)
	@if command -v uv >/dev/null 2>&1; then \
	  uv pip install --quiet --python $(PYTHON) -r benchmarks/requirements.txt; \
	else \
	  $(PYTHON) -m pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt; \
	fi
	@$(PYTHON) benchmarks/run.py

clean:
	rm -rf $(VENV) demo build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
