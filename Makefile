# Everything goes through the project's own virtual environment, made on first use from tested versions.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 3

.PHONY: demo test check bench sim powercut deb debcheck docs clean

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev,fast]'
	@touch $@

demo: $(READY)
	@$(BIN)/sekisho demo $(ARGS)

test: $(READY) check
	@$(BIN)/pytest -n $(WORKERS) tests $(ARGS)

check: $(READY)
	@$(BIN)/ruff check src tests bench packaging
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(READY)
	@$(BIN)/python -m bench $(ARGS)

sim: $(READY)
	@$(BIN)/pytest -n $(WORKERS) tests/sim --seeds=2000 $(ARGS)

powercut: $(READY)
	@$(BIN)/python -m bench.powercut $(ARGS)

deb: $(READY)
	@$(BIN)/python packaging/deb/build.py $(ARGS)

debcheck: deb
	@packaging/deb/check.sh dist/*.deb

docs: $(READY)
	@$(BIN)/python -m docs.build

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
